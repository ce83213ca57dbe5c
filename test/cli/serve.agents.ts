/** The agents that the tests of `miniagents serve` serve. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { Agent, MessagePromise } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const slowly = (text: string) =>
  MessagePromise.fromStream(
    Stream.tap(Stream.rechunk(Stream.fromIterable(text.split(/(?<= )/)), 1), () => Effect.yieldNow)
  )

export const storyTeller = Agent.make(
  "Story Teller",
  { description: "Tells stories" },
  Effect.fnUntraced(function* (ctx) {
    const messages = yield* ctx.messages.messages
    yield* ctx.reply(yield* slowly(`<b>Story</b> ${messages.length}: ${messages.at(-1)}`))
  })
)
export const counter = Agent.make("Counter", { parameters: { to: Schema.Int } }, (ctx) =>
  ctx.reply(Array.from({ length: ctx.parameters.to }, (_, i) => String(i + 1)).join(" "))
)
export const patient = Agent.make("Patient", (ctx) => Effect.andThen(ctx.reply("I wait"), Effect.never))

const Delete = Tool.make("Delete", {
  parameters: Schema.Struct({ name: Schema.String }),
  success: Schema.String,
  needsApproval: true
})
const kit = Toolkit.make(Delete)
export const cleaner = LlmAgent.make("Cleaner", {
  toolkit: Effect.provide(kit, kit.toLayer({ Delete: ({ name }) => Effect.succeed(`${name} is gone`) }))
})

/** What they require. */
export const layer = ScriptedModel.layer([
  ScriptedModel.always(ScriptedModel.when(ScriptedModel.turn(ScriptedModel.text("Done.")), isAnswered)),
  ScriptedModel.always(
    ScriptedModel.turn(ScriptedModel.text("Let me see."), ScriptedModel.toolCall("Delete", { name: "a.txt" }))
  )
])

function isAnswered({ text }: ScriptedModel.Request): boolean {
  return text.includes("tool:")
}

/** No agent. */
export const version = 1
