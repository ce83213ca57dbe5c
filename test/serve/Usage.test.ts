/** What the models of a run have used is on every wire that tells it, whatever their responses are made of. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { MiniAgents, Transcript } from "miniagents"
import { AgentTool, ClientTools, LlmAgent } from "miniagents/llm"
import { AgUi, AiSdk, OpenAiApi } from "miniagents/serve"
import { ScriptedModel } from "miniagents/testing"

const { always, file, finish, reasoning, text, toolCall, turn, usage } = ScriptedModel

const Kind = Schema.Literals(["text", "silence", "thought", "file", "tool", "agent", "client"])
type Kind = typeof Kind.Type
const Turns = Schema.Array(Schema.Array(Kind))

const Look = Tool.make("Look", { success: Schema.String })
const helper = LlmAgent.make("Helper", {
  description: "Helps",
  model: ScriptedModel.layer([always(turn(text("helped"), usage(7, 3)))])
})
const helping = AgentTool.make(helper)
const tools = Toolkit.make(Look, helping)
const toolsLive = Effect.provide(
  tools,
  tools.toLayer({ Look: () => Effect.succeed("seen"), ...AgentTool.handlers(helping) })
)
const client: ClientTools.ClientTool = { name: "locate", parameters: { type: "object", properties: {} } }

const stepOf = (kind: Kind): ReadonlyArray<ScriptedModel.Step> => {
  switch (kind) {
    case "text":
      return [text("said")]
    case "silence":
      return []
    case "thought":
      return [reasoning("hm")]
    case "file":
      return [file("image/png", "aGk=")]
    case "tool":
      return [toolCall("Look", {})]
    case "agent":
      return [toolCall("Helper", { message: "help" })]
    case "client":
      return [toolCall("locate", {})]
  }
}

/** The turns that are asked for: a run goes on as long as each calls tools that it runs itself. */
const asked = (turns: ReadonlyArray<ReadonlyArray<Kind>>) => {
  const goesOn = (kinds: ReadonlyArray<Kind>) =>
    !kinds.includes("client") && (kinds.includes("tool") || kinds.includes("agent"))
  const last = turns.findIndex((kinds) => !goesOn(kinds))
  return last < 0 ? [...turns, ["text"] as const] : turns.slice(0, last + 1)
}

describe("usage", () => {
  it.effect.prop("of every response of every agent is in the sum that each wire tells", { turns: Turns }, ({ turns }) =>
    Effect.gen(function* () {
      const script = asked(turns)
      const agent = LlmAgent.make("Asked", {
        toolkit: toolsLive,
        model: ScriptedModel.layer(
          script.map((kinds, i) => {
            const calls = kinds.some((kind) => kind === "tool" || kind === "agent" || kind === "client")
            return turn(...kinds.flatMap(stepOf), usage(100 + i, 10), finish(calls ? "tool-calls" : "stop"))
          })
        )
      })
      const replies = yield* ClientTools.withClientTools([client])(agent.trigger("go"))
      const events = yield* Stream.runCollect(Transcript.encode(replies))
      assert.strictEqual(events.at(-1)?._tag, "end", JSON.stringify(events.at(-1)))
      const inside = script.flat().filter((kind) => kind === "agent").length
      const input = script.reduce((sum, _, i) => sum + 100 + i, 7 * inside)
      const expected = { input, output: 10 * script.length + 3 * inside }
      const stream = Stream.fromIterable(events)
      const head = { id: "resp_1", created: 0, model: "m" }
      const last = (all: ReadonlyArray<unknown>) => all.at(-1) as never
      const ui: { messageMetadata: { usage: { inputTokens: number; outputTokens: number } } } = last(
        yield* Stream.runCollect(AiSdk.encode(stream, { messageId: "a" }))
      )
      const chat: { usage: { prompt_tokens: number; completion_tokens: number } } = last(
        yield* Stream.runCollect(OpenAiApi.toChunks(stream, head, { usage: true }))
      )
      const whole: { response: { usage: { input_tokens: number; output_tokens: number } } } = last(
        yield* Stream.runCollect(OpenAiApi.toResponseEvents(stream, head))
      )
      const agUi: { usage: ReadonlyArray<{ inputTokens: number; outputTokens: number }> } = last(
        yield* Stream.runCollect(AgUi.encode(stream, { threadId: "t", runId: "r" }))
      )
      const { usage: told } = ui.messageMetadata
      assert.deepStrictEqual({ input: told.inputTokens, output: told.outputTokens }, expected)
      assert.deepStrictEqual({ input: chat.usage.prompt_tokens, output: chat.usage.completion_tokens }, expected)
      const { usage: said } = whole.response
      assert.deepStrictEqual({ input: said.input_tokens, output: said.output_tokens }, expected)
      const sum = (of: "inputTokens" | "outputTokens") => agUi.usage.reduce((all, each) => all + each[of], 0)
      assert.deepStrictEqual({ input: sum("inputTokens"), output: sum("outputTokens") }, expected)
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})
