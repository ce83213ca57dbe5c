/** The spans of agents on models tell what the conventions of OpenTelemetry want, and nothing that was said unasked. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { MiniAgents } from "miniagents"
import { LlmAgent, Pricing, Spans } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"
import * as Traced from "./Traced.ts"

const { reasoning, text, toolCall, turn, usage } = ScriptedModel

interface Said {
  readonly role: string
  readonly parts: ReadonlyArray<{ readonly type: string }>
}

const Add = Tool.make("Add", {
  description: "Adds one",
  parameters: Schema.Struct({ a: Schema.Int }),
  success: Schema.Int
})
const kit = Toolkit.make(Add)
const turns = [
  turn(reasoning("I add"), toolCall("Add", { a: 1 }, "call-7"), usage(100, 10)),
  turn(text("the answer is 2"), usage(200, 20))
]

/** Asks an agent, and gives the attributes of all spans by their names. */
const spansOf = (script: ReadonlyArray<ScriptedModel.Turn>, more: Layer.Layer<never>, add = Effect.succeed(2)) =>
  Effect.gen(function* () {
    const { spans, tracer } = Traced.make()
    const adder = LlmAgent.make("Adder", { toolkit: kit, system: "You are a secret adder" })
    const exit = yield* Effect.flatMap(adder.trigger("the question"), (replies) => replies.messages).pipe(
      Effect.exit,
      Effect.provide([MiniAgents.layer(), ScriptedModel.layer(script), kit.toLayer({ Add: () => add }), more]),
      Spans.withConversation("conversation-7"),
      Effect.withTracer(tracer)
    )
    return { exit, spans: new Map(spans.map((span) => [span.name, Object.fromEntries(span.attributes)])) }
  })

describe("the spans of an agent on a model", () => {
  it.effect("have the provider, the conversation, the usage of all requests and what they cost", () =>
    Effect.gen(function* () {
      const { spans } = yield* spansOf(
        turns,
        Pricing.layerOf({ prices: { scripted: { input: 10_000, output: 100_000 } } })
      )
      assert.deepStrictEqual(spans.get("invoke_agent Adder"), {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "Adder",
        "miniagents.path": "Adder",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "scripted",
        "gen_ai.conversation.id": "conversation-7",
        "gen_ai.usage.input_tokens": 300,
        "gen_ai.usage.output_tokens": 30,
        "miniagents.usage.cost": 6
      })
      assert.deepStrictEqual(spans.get("execute_tool Add"), {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "Add",
        "gen_ai.tool.call.id": "call-7",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Adds one"
      })
      assert.notMatch(JSON.stringify([...spans]), /secret|the question|the answer|I add/)
    })
  )

  it.effect("have the type of the error, of the agent and of the tool", () =>
    Effect.gen(function* () {
      const broken = Effect.die(new TypeError("no such luck")) as Effect.Effect<number>
      const { exit, spans } = yield* spansOf(turns.slice(0, 1), Layer.empty, broken)
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(spans.get("execute_tool Add")?.["error.type"], "TypeError")
      assert.strictEqual(spans.get("invoke_agent Adder")?.["error.type"], "TypeError")
    })
  )

  it.effect("have what was said on request alone, in the form of the conventions", () =>
    Effect.gen(function* () {
      const { spans } = yield* spansOf(turns, Spans.layerContent)
      const span = spans.get("invoke_agent Adder") ?? {}
      const said = (name: string) => JSON.parse(String(span[name])) as unknown
      assert.strictEqual(spans.get("execute_tool Add")?.["gen_ai.tool.call.arguments"], '{"a":1}')
      assert.deepStrictEqual(said("gen_ai.system_instructions"), [{ type: "text", content: "You are a secret adder" }])
      const input = said("gen_ai.input.messages") as ReadonlyArray<Said>
      assert.deepStrictEqual(
        input.map(({ parts, role }) => [role, ...parts.map(({ type }) => type)]),
        [
          ["user", "text"],
          ["assistant", "reasoning", "tool_call"],
          ["tool", "tool_call_response"]
        ]
      )
      assert.deepStrictEqual(said("gen_ai.output.messages"), [
        { role: "assistant", parts: [{ type: "text", content: "the answer is 2" }], finish_reason: "stop" }
      ])
    })
  )
})
