/** What an agent on a model is asked with for one call, and what of it each protocol sends. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import type { AiError } from "effect/ai"
import { Tool, Toolkit } from "effect/ai"
import { MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { AgentTool, LlmAgent, ModelSettings } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { ScriptedModel } from "miniagents/testing"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"
import * as ResponsesWire from "../openai/Responses.wire.ts"
import * as Loopback from "./Loopback.ts"

const { text, toolCall, turn } = ScriptedModel

const kit = AgentTool.toolkit(
  AgentTool.make(LlmAgent.make("Inner"), { name: "Inner" }),
  AgentTool.make(LlmAgent.make("Other"), { name: "Other" })
)

const requests = Effect.flatMap(ScriptedModel.ScriptedModel, (script) => script.requests)

const scripted = (...turns: ReadonlyArray<ScriptedModel.Turn>) =>
  Effect.provide([MiniAgents.layer(), ScriptedModel.layer(turns)])

const all: ModelSettings.Settings = {
  temperature: 0.5,
  topP: 0.9,
  maxTokens: 50,
  stop: ["END"],
  seed: 7,
  parallelToolCalls: false,
  responseFormat: { type: "json" }
}

describe("the settings of a call", () => {
  it.effect("are those of the call over those of a fork over those around it", () =>
    Effect.gen(function* () {
      const agent = LlmAgent.make("A").fork({ parameters: { temperature: 1, seed: 1 } })
      const replies = yield* agent
        .trigger("Hi", { temperature: 0 })
        .pipe(ModelSettings.withSettings({ seed: 2, stop: ["."] }))
      yield* replies.messages
      yield* (yield* LlmAgent.make("B").trigger("Hi")).messages
      const settings = (yield* requests).map(({ settings }) => settings)
      assert.deepStrictEqual(settings, [{ temperature: 0, seed: 1, stop: ["."] }, {}])
    }).pipe(scripted(ScriptedModel.always(turn(text("ok")))))
  )

  it.effect("are for the requests of the agent, and not for those of agents that are its tools", () =>
    Effect.gen(function* () {
      const agent = LlmAgent.make("A", { toolkit: kit })
      yield* (yield* agent.trigger("Hi", { temperature: 0 })).messages
      const settings = (yield* requests).map(({ settings }) => settings)
      assert.deepStrictEqual(settings, [{ temperature: 0 }, {}, { temperature: 0 }])
    }).pipe(scripted(turn(toolCall("Inner", { message: "x" })), turn(text("in")), turn(text("out"))))
  )

  it.effect("reach structured output, whose format is its schema", () =>
    Effect.gen(function* () {
      const agent = LlmAgent.makeObject("A", { schema: Schema.Struct({ n: Schema.Int }) })
      yield* (yield* agent.trigger("Hi", { seed: 3, responseFormat: { type: "json" } })).messages
      const [asked] = yield* requests
      assert.deepStrictEqual([asked?.settings, asked?.responseFormat], [{ seed: 3 }, "json"])
    }).pipe(scripted(turn(text('{"n":1}'))))
  )

  it.effect("an agent's own parameter of such a name is for its model", () =>
    Effect.gen(function* () {
      const agent = LlmAgent.makeWith("A", {
        parameters: { seed: Schema.String },
        model: ({ seed }) => ScriptedModel.layer([turn(text(seed))])
      })
      assert.strictEqual(yield* (yield* agent.trigger("Hi", { seed: "oak" })).text, "oak")
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect.each([
    [{ temperature: -1 }, "`temperature` got `-1`"],
    [{ topP: 2 }, "`topP` got `2`"],
    [{ stop: "." }, "`stop` got `"],
    [{ toolChoice: "always" }, "`toolChoice` got `"],
    [{ responseFormat: { type: "xml" } }, "`responseFormat"]
  ] as const)("%j is refused in one sentence", ([parameters, sentence]) =>
    Effect.gen(function* () {
      const replies = yield* LlmAgent.make("A").trigger("Hi", parameters as LlmAgent.Parameters)
      const exit = yield* Effect.exit(replies.messages)
      assert.include(JSON.stringify(exit), sentence.replaceAll('"', '\\"'))
      assert.lengthOf(yield* requests, 0)
    }).pipe(scripted())
  )
})

describe("the choice of tools", () => {
  const choices = (parameters: LlmAgent.Parameters) =>
    Effect.gen(function* () {
      const agent = LlmAgent.make("A", { toolkit: kit })
      yield* (yield* agent.trigger("Hi", parameters)).messages
      return (yield* requests).flatMap(({ toolChoice, tools }) => (tools.length === 0 ? [] : [toolChoice]))
    }).pipe(scripted(turn(toolCall("Inner", { message: "x" })), turn(text("in")), turn(text("out"))))

  it.effect.each<[LlmAgent.Parameters, ReadonlyArray<LlmAgent.ToolChoice>]>([
    [{}, ["auto", "auto"]],
    [{ toolChoice: "required" }, ["required", "required"]],
    [{ firstToolChoice: "required" }, ["required", "auto"]],
    [{ firstToolChoice: { tool: "Inner" }, toolChoice: "none" }, [{ tool: "Inner" }, "none"]],
    [{ firstToolChoice: { oneOf: ["Inner"], mode: "required" } }, [{ oneOf: ["Inner"], mode: "required" }, "auto"]]
  ])("%j is that of the first request, and of the others", ([parameters, expected]) =>
    Effect.map(choices(parameters), (chosen) => assert.deepStrictEqual(chosen, [...expected]))
  )

  it.effect.each<[object, LlmAgent.Parameters, string]>([
    [{}, { toolChoice: "required" }, '`toolChoice` is `"required"`, and the agent has no tools'],
    [{ toolkit: kit }, { firstToolChoice: { tool: "X" } }, "the agent has the tools `Inner`, `Other`"],
    [{ toolkit: kit }, { toolChoice: { oneOf: ["Inner", "X"] } }, "the agent has the tools `Inner`, `Other`"]
  ])("of what is not there is an error that names it, before any request", ([options, parameters, sentence]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* LlmAgent.make("A", options).trigger("Hi", parameters)).messages)
      assert.strictEqual((error as AiError.AiError).reason._tag, "InvalidRequestError")
      assert.include(String(error), sentence)
      assert.lengthOf(yield* requests, 0)
    }).pipe(scripted())
  )
})

/** The protocols, each with the fields that it sends for all settings, or the one that it has no place for. */
const protocols = [
  {
    name: "Chat Completions",
    layer: (url: string) => Layer.provide(OpenAi.model("m"), OpenAi.layer({ baseUrl: url })),
    events: OpenAiWire.whole({ text: ["ok"] }),
    takes: all,
    sends: {
      temperature: 0.5,
      top_p: 0.9,
      max_tokens: 50,
      stop: ["END"],
      seed: 7,
      parallel_tool_calls: false,
      response_format: { type: "json_object" }
    },
    choice: { type: "function", function: { name: "Get" } },
    refuses: []
  },
  {
    name: "Responses",
    layer: (url: string) => Layer.provide(OpenAi.model("m", { api: "responses" }), OpenAi.layer({ baseUrl: url })),
    events: ResponsesWire.whole({ text: ["ok"] }),
    takes: Object.fromEntries(Object.entries(all).filter(([key]) => key !== "seed" && key !== "stop")),
    sends: {
      temperature: 0.5,
      top_p: 0.9,
      max_output_tokens: 50,
      parallel_tool_calls: false,
      text: { format: { type: "json_object" } }
    },
    choice: { type: "function", name: "Get" },
    refuses: [{ seed: 7 }, { stop: ["END"] }]
  },
  {
    name: "Messages",
    layer: (url: string) => Layer.provide(Anthropic.model("m"), Anthropic.layer({ baseUrl: url })),
    events: AnthropicWire.whole({ text: ["ok"] }),
    takes: {
      ...Object.fromEntries(Object.entries(all).filter(([key]) => key !== "seed")),
      responseFormat: { type: "json", schema: { type: "object" } }
    },
    sends: {
      temperature: 0.5,
      top_p: 0.9,
      max_tokens: 50,
      stop_sequences: ["END"],
      output_config: { format: { type: "json_schema", schema: { type: "object" } } }
    },
    choice: { type: "tool", name: "Get", disable_parallel_tool_use: true },
    refuses: [{ seed: 7 }, { responseFormat: { type: "json" } }]
  }
] as const

describe.each(protocols)("$name", ({ choice, events, layer, name, refuses, sends, takes }) => {
  const toolkit = Toolkit.make(Tool.make("Get", { success: Schema.String }))
  const agent = LlmAgent.make("A", {
    toolkit: Effect.provide(toolkit, toolkit.toLayer({ Get: () => Effect.succeed("it") }))
  })
  const ask = (parameters: object) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(events))
      const replies = agent.trigger("Hi", { firstToolChoice: { tool: "Get" }, ...parameters })
      const exit = yield* Effect.flatMap(replies, ({ messages }) => Effect.exit(messages)).pipe(
        Effect.provide([MiniAgents.layer(), layer(server.url)])
      )
      return { exit, bodies: server.received.map(({ body }) => body as Record<string, unknown>) }
    })

  it.effect("sends all that it has a place for, and which tool must be called", () =>
    Effect.gen(function* () {
      const { bodies } = yield* ask(takes)
      assert.deepInclude(bodies[0], { ...sends, tool_choice: choice } as never)
    })
  )

  it.effect("sends none of it unless asked", () =>
    Effect.gen(function* () {
      const { bodies } = yield* ask({})
      const kept = name === "Messages" ? ["max_tokens"] : []
      for (const key of Object.keys(sends)) if (!kept.includes(key)) assert.notProperty(bodies[0], key)
    })
  )

  it.effect("refuses by name what it has no place for, before any request", () =>
    Effect.gen(function* () {
      for (const parameters of refuses) {
        const { bodies, exit } = yield* ask(parameters)
        const [parameter] = Object.keys(parameters)
        assert.lengthOf(bodies, 0)
        assert.include(JSON.stringify(exit), "InvalidRequestError")
        assert.include(JSON.stringify(exit), `\`${parameter}\` cannot be sent by the ${name} protocol`)
      }
    })
  )
})
