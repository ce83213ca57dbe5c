/** All spans of agents, tools and models are as the conventions of OpenTelemetry have them, with content and without. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema } from "effect"
import type { Tracer } from "effect"
import type { LanguageModel } from "effect/ai"
import { Tool, Toolkit } from "effect/ai"
import { Message, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent, Spans } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { Azure, DeepSeek, Gemini, Mistral } from "miniagents/providers"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"
import * as ResponsesWire from "../openai/Responses.wire.ts"
import * as Conventions from "./Conventions.ts"
import * as Loopback from "./Loopback.ts"
import * as Traced from "./Traced.ts"
import type { Said } from "./Wire.contract.ts"

interface Row {
  readonly name: string
  readonly say: (said: Said) => ReadonlyArray<string>
  readonly model: (url: string) => Layer.Layer<LanguageModel.LanguageModel>
}

const { call: _, ...wire } = ResponsesWire
const searched = wire.item("done", 9, {
  type: "web_search_call",
  id: "ws",
  action: { type: "search", query: "secret" }
})

const rows: ReadonlyArray<Row> = [
  {
    name: "openai",
    say: OpenAiWire.whole,
    model: (url) => Layer.provide(OpenAi.model("m", { seed: 1 }), OpenAi.layer({ baseUrl: `${url}/v1` }))
  },
  {
    name: "openai",
    say: (said) => {
      const events = wire.whole(said)
      return [...events.slice(0, 1), searched, ...events.slice(1)]
    },
    model: (url) => Layer.provide(OpenAi.model("m", { api: "responses" }), OpenAi.layer({ baseUrl: `${url}/v1` }))
  },
  {
    name: "anthropic",
    say: AnthropicWire.whole,
    model: (url) => Layer.provide(Anthropic.model("m"), Anthropic.layer({ baseUrl: url }))
  }
]

const kit = Toolkit.make(
  Tool.make("Add", {
    description: "Adds one",
    parameters: Schema.Struct({ a: Schema.Int }),
    success: Schema.Int,
    failure: Schema.String
  })
)

/** Asks an agent, and gives all spans. */
const spansOf = ({ model, say }: Row, add: Effect.Effect<number, string>, isWanted: boolean) =>
  Effect.gen(function* () {
    const server = yield* Loopback.serve((response, request, count) =>
      Loopback.stream(
        say(
          count === 1
            ? { reasoning: ["secret"], calls: [{ id: "c1", name: "Add", json: ['{"a":1}'] }], usage: [7, 3] }
            : { text: ["the secret is 2"], usage: [9, 4] }
        )
      )(response, request, count)
    )
    const { spans, tracer } = Traced.make()
    const adder = LlmAgent.make("Adder", {
      description: "Adds",
      toolkit: kit,
      system: "a secret",
      model: model(server.url)
    })
    const asked = [Message.user(["secret", Message.image("data:image/png;base64,AQI=")])]
    const exit = yield* Effect.flatMap(
      adder.trigger(asked, { maxTokens: 9, temperature: 0 }),
      (replies) => replies.messages
    ).pipe(
      Effect.exit,
      Effect.provide([
        MiniAgents.layer(),
        kit.toLayer({ Add: () => add }),
        isWanted ? Spans.layerContent : Layer.empty
      ]),
      Spans.withConversation("conversation-7"),
      Effect.withTracer(tracer)
    )
    return { exit, spans }
  })

const check = (span: Tracer.NativeSpan): void => {
  const given = Object.fromEntries(span.attributes)
  const kind = Conventions.spans[String(given["gen_ai.operation.name"])]
  assert.isDefined(kind, span.name)
  assert.strictEqual(span.kind, kind?.kind)
  for (const name of [...(kind?.required ?? []), ...(kind?.known ?? [])]) assert.property(given, name, span.name)
  for (const [name, value] of Object.entries(given)) {
    if (!/^(gen_ai|error|server)\./.test(name)) continue
    const type = Conventions.attributes[name]
    assert.isTrue(
      type !== undefined && Conventions.isOf(type, value),
      `${span.name}: ${name} is ${JSON.stringify(value)}`
    )
    const schema = Conventions.schemas[name]
    if (schema === undefined) continue
    const decoded = Schema.decodeUnknownExit(schema, { onExcessProperty: "error" })(JSON.parse(String(value)))
    assert.isTrue(Exit.isSuccess(decoded), `${name}: ${JSON.stringify(decoded)} of ${String(value)}`)
  }
}

const named = (spans: ReadonlyArray<Tracer.NativeSpan>, name: string) =>
  Object.fromEntries(spans.find((span) => span.name === name)?.attributes ?? [])

describe("the conventions of OpenTelemetry for generative AI", () => {
  it.live.each(rows)("hold for all spans: $name", (row) =>
    Effect.gen(function* () {
      for (const isWanted of [false, true]) {
        const { exit, spans } = yield* spansOf(row, Effect.succeed(2), isWanted)
        assert.isTrue(Exit.isSuccess(exit))
        assert.deepStrictEqual(
          spans.map(({ name }) => name.split(" ")[0]).toSorted(),
          ["LanguageModel.streamText", "LanguageModel.streamText", "execute_tool", "invoke_agent"].toSorted()
        )
        for (const span of spans) check(span)
        const agent = named(spans, "invoke_agent Adder")
        const sums = { "gen_ai.usage.input_tokens": 16, "gen_ai.usage.output_tokens": 7 }
        assert.deepInclude(agent, { "gen_ai.provider.name": row.name, "gen_ai.request.model": "m", ...sums })
        assert.strictEqual(named(spans, "execute_tool Add")["gen_ai.tool.call.id"], "c1")
        const all = spans.flatMap((span) => [...span.attributes.keys()])
        for (const name of Conventions.content) assert.strictEqual(all.includes(name), isWanted, name)
        if (!isWanted) assert.notInclude(JSON.stringify(spans.map(({ attributes }) => [...attributes])), "secret")
      }
    }).pipe(Effect.scoped)
  )

  it.live("name what failed, of the tool and of the agent", () =>
    Effect.gen(function* () {
      const { spans } = yield* spansOf(rows[0]!, Effect.fail("no such luck"), false)
      for (const span of spans) check(span)
      for (const name of ["invoke_agent Adder", "execute_tool Add"]) assert.property(named(spans, name), "error.type")
    }).pipe(Effect.scoped)
  )

  it("know the names of the providers that they have one for", () => {
    const profiles = [OpenAi, Anthropic, Gemini, Mistral, DeepSeek, Azure].map(({ profile }) => profile.name)
    assert.sameMembers(profiles, Conventions.providers)
  })
})
