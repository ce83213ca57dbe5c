/** Tools that the caller of an agent runs: who is told of them, what a call of one looks like, and how it goes on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { type Message, MiniAgents } from "miniagents"
import { AgentTool, ClientTools, LlmAgent, LlmMessage } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { text, toolCall, turn } = ScriptedModel

const Own = Toolkit.make(Tool.make("own", { success: Schema.String }))
const OwnLive = Own.toLayer({ own: () => Effect.succeed("mine") })

const locate: ClientTools.ClientTool = {
  name: "locate",
  description: "Where the user is",
  parameters: { type: "object", properties: { exact: { type: "boolean" } } }
}

const run = <A, E>(
  turns: ReadonlyArray<ScriptedModel.Turn>,
  program: Effect.Effect<
    A,
    E,
    Layer.Success<ReturnType<typeof ScriptedModel.layer>> | MiniAgents.MiniAgents | Layer.Success<typeof OwnLive>
  >,
  tools: ReadonlyArray<ClientTools.ClientTool> = [locate]
) =>
  program.pipe(
    ClientTools.withClientTools(tools),
    Effect.provide(Layer.mergeAll(MiniAgents.layer(), OwnLive, ScriptedModel.layer(turns, { name: "m" })))
  )

const brief = (message: Message.Message) =>
  message instanceof LlmMessage.ToolCall
    ? `${message.clientExecuted === true ? "client " : ""}${message}`
    : `${message._tag}: ${message}`

describe("ClientTools", () => {
  it.effect("a call of one ends the replies, and its result goes on", () =>
    run(
      [turn(text("Let me see."), toolCall("locate", { exact: true })), turn(text("You are in Oslo."))],
      Effect.gen(function* () {
        const agent = LlmAgent.make("Guide")
        const asked = yield* (yield* agent.trigger("Where am I?")).messages
        assert.deepStrictEqual(asked.map(brief), ["Assistant: Let me see.", 'client locate({"exact":true})'])
        const { id, name } = asked[1] as LlmMessage.ToolCall
        const result = new LlmMessage.ToolResult({ id, name, result: "59.9, 10.7", isFailure: false })
        const told = yield* (yield* agent.trigger(["Where am I?", asked, result])).messages
        assert.deepStrictEqual(told.map(brief), ["Assistant: You are in Oslo."])
        const requests = yield* (yield* ScriptedModel.ScriptedModel).requests
        assert.deepStrictEqual(requests[0].tools, ["locate"])
        assert.include(JSON.stringify(requests[1].prompt), "59.9, 10.7")
      })
    )
  )

  it.effect("the agent's own calls of the same response are run, and one of its own names is its own", () =>
    run(
      [turn(toolCall("own", {}), toolCall("locate", {}))],
      Effect.gen(function* () {
        const agent = LlmAgent.make("Guide", { toolkit: Own })
        const messages = yield* (yield* agent.trigger("Where am I?")).messages
        assert.deepStrictEqual(messages.map(brief), ["own({})", "ToolResult: mine", "client locate({})"])
      }),
      [locate, { name: "own", parameters: { type: "object" } }]
    )
  )

  it.effect("an agent that works as a tool is not told of them", () =>
    run(
      [turn(toolCall("Helper", { message: "?" })), turn(text("helped")), turn(text("done"))],
      Effect.gen(function* () {
        const helper = LlmAgent.make("Helper", { description: "Helps" })
        const agent = LlmAgent.make("Guide", { toolkit: AgentTool.toolkit(AgentTool.make(helper)) })
        yield* (yield* agent.trigger("Help")).messages
        const requests = yield* (yield* ScriptedModel.ScriptedModel).requests
        assert.deepStrictEqual(
          requests.map(({ tools }) => tools.toSorted()),
          [["Helper", "locate"], [], ["Helper", "locate"]]
        )
      })
    )
  )

  it.effect("an agent that fills in an object waits for the caller first", () =>
    run(
      [turn(toolCall("locate", {}))],
      Effect.gen(function* () {
        const agent = LlmAgent.makeObject("Form", { schema: Schema.Struct({ city: Schema.String }), toolkit: Own })
        const messages = yield* (yield* agent.trigger("Where am I?")).messages
        assert.deepStrictEqual(messages.map(brief), ["client locate({})"])
      })
    )
  )
})
