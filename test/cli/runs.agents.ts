/** The agents that the tests of `miniagents runs` run again. */
import { Effect, Layer, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { Agent } from "miniagents"
import { Durable } from "miniagents/durable"
import { LlmAgent } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const Remove = Tool.make("Remove", {
  parameters: Schema.Struct({ what: Schema.String }),
  success: Schema.String,
  needsApproval: true
})
const kit = Toolkit.make(Remove)

export const clerk = LlmAgent.make("Clerk", {
  toolkit: Durable.toolkit(
    Effect.provide(kit, kit.toLayer({ Remove: ({ what }) => Effect.succeed(`${what} is gone`) }))
  )
})

export const greeter = LlmAgent.make("Greeter")

/** Asks a greeter, and waits for a signal of a shape. */
export const careful = Agent.make(
  "Careful",
  Effect.fnUntraced(function* (ctx) {
    const greeting = yield* greeter.trigger(ctx.messages)
    yield* ctx.reply(greeting)
    yield* Effect.orDie(greeting.messages)
    const { by } = yield* Durable.wait("approval", Schema.Struct({ by: Schema.NonEmptyString }))
    yield* ctx.reply(`approved by ${by}`)
  })
)

/** What they require. */
export const layer = Layer.suspend(() =>
  ScriptedModel.layer([
    ScriptedModel.always(ScriptedModel.when(ScriptedModel.turn(ScriptedModel.text("Done.")), isAnswered)),
    ScriptedModel.always(ScriptedModel.when(ScriptedModel.turn(ScriptedModel.text("Hello!")), isGreeting)),
    ScriptedModel.always(ScriptedModel.turn(ScriptedModel.toolCall("Remove", { what: "a.txt" })))
  ])
).pipe(Durable.model)

function isAnswered({ text }: ScriptedModel.Request): boolean {
  return text.includes("tool:")
}

function isGreeting({ text }: ScriptedModel.Request): boolean {
  return text.includes("greet")
}
