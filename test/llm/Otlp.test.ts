/** What a collector gets of agents and their models, read from a real OTLP endpoint on the loopback interface. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schema } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { Agent, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as Loopback from "./Loopback.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"

const secret = "sk-very-secret-0123456789"

interface Attribute {
  readonly key: string
  readonly value: { readonly [type: string]: unknown }
}

interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly status: { readonly code: number; readonly message?: string }
}

interface Traces {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<Attribute> }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Span> }>
  }>
}

/** A collector that takes everything. */
const collector = Effect.map(Loopback.serve(Loopback.answer(200, {})), (server) => ({
  url: server.url,
  received: server.received,
  traces: () => server.received.flatMap(({ body, url }) => (url === "/v1/traces" ? [body as Traces] : [])),
  spans: () =>
    server.received
      .flatMap(({ body, url }) => (url === "/v1/traces" ? (body as Traces).resourceSpans : []))
      .flatMap(({ scopeSpans }) => scopeSpans)
      .flatMap(({ spans }) => spans)
}))

/** The names of the spans, each below its parent. */
const treeOf = (spans: ReadonlyArray<Span>, parent?: string, indent = ""): ReadonlyArray<string> =>
  spans
    .filter(({ parentSpanId }) => (parentSpanId ?? "") === (parent ?? ""))
    .toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)))
    .flatMap((span) => [`${indent}${span.name}`, ...treeOf(spans, span.spanId, `${indent}  `)])

const attributesOf = (span: Span | undefined) =>
  Object.fromEntries(span?.attributes.map(({ key, value }) => [key, Object.values(value)[0]]) ?? [])

const exportTo = ({ url }: { readonly url: string }) =>
  Layer.provide(Otlp.layerJson({ baseUrl: url, resource: { serviceName: "test" } }), FetchHttpClient.layer)

const kit = Toolkit.make(Tool.make("Add", { parameters: Schema.Struct({ a: Schema.Int }), success: Schema.Int }))

const providers = [
  {
    name: "openai",
    wire: OpenAiWire,
    at: (url: string) =>
      OpenAi.model("test-model", { max_tokens: 99 }).pipe(
        Layer.provide(OpenAi.layer({ baseUrl: `${url}/v1`, apiKey: Redacted.make(secret) }))
      )
  },
  {
    name: "anthropic",
    wire: AnthropicWire,
    at: (url: string) =>
      Anthropic.model("test-model", { max_tokens: 99 }).pipe(
        Layer.provide(Anthropic.layer({ baseUrl: url, apiKey: Redacted.make(secret) }))
      )
  }
]

describe("spans over OTLP", () => {
  for (const { at, name, wire } of providers) {
    it.effect(`hold what agents asked of ${name}, below the agent that asked`, () =>
      Effect.gen(function* () {
        const { spans, traces, url } = yield* collector
        const server = yield* Loopback.serve((response, request, count) =>
          Loopback.stream(
            wire.whole(
              count === 1
                ? { calls: [{ id: "c1", name: "Add", json: ['{"a":1}'] }], usage: [7, 3] }
                : { text: ["the answer is 2"], usage: [9, 4] }
            )
          )(response, request, count)
        )
        const adder = LlmAgent.make("Adder", { toolkit: kit })
        const asker = Agent.make(
          "Asker",
          Effect.fnUntraced(function* (ctx) {
            yield* ctx.reply(yield* adder.trigger(ctx.messages))
          })
        )
        const handlers = kit.toLayer({ Add: ({ a }) => Effect.succeed(a + 1) })
        yield* Effect.flatMap(asker.trigger("the question"), (replies) => replies.messages).pipe(
          Effect.withSpan("request"),
          Effect.provide(
            Layer.provideMerge(Layer.mergeAll(MiniAgents.layer(), at(server.url), handlers), exportTo({ url }))
          )
        )
        assert.deepStrictEqual(treeOf(spans()), [
          "request",
          "  invoke_agent Asker",
          "    invoke_agent Adder",
          "      LanguageModel.streamText",
          "      execute_tool Add",
          "      LanguageModel.streamText"
        ])
        assert.strictEqual(new Set(spans().map(({ traceId }) => traceId)).size, 1)
        const [first, second] = spans().filter((span) => span.name === "LanguageModel.streamText")
        const asked = {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": name,
          "gen_ai.request.model": "test-model",
          "gen_ai.request.max_tokens": 99,
          "gen_ai.response.id": "response-1",
          "gen_ai.response.model": "model-1"
        }
        const reasons = (reason: string) => ({
          "gen_ai.response.finish_reasons": { values: [{ stringValue: reason }] }
        })
        const tokens = (input: number, output: number) => ({
          "gen_ai.usage.input_tokens": input,
          "gen_ai.usage.output_tokens": output
        })
        assert.deepInclude(attributesOf(first), { ...asked, ...reasons("tool-calls"), ...tokens(7, 3) })
        assert.deepInclude(attributesOf(second), { ...asked, ...reasons("stop"), ...tokens(9, 4) })
        assert.deepInclude(attributesOf(spans().find((span) => span.name === "invoke_agent Adder")), {
          "gen_ai.operation.name": "invoke_agent",
          "gen_ai.agent.name": "Adder"
        })
        const sent = JSON.stringify(traces())
        assert.notMatch(sent, /secret|the question|the answer/)
        assert.include(sent, '{"key":"service.name","value":{"stringValue":"test"}}')
      })
    )

    it.effect(`hold how a request to ${name} failed, and no key`, () =>
      Effect.gen(function* () {
        const { received, spans, url } = yield* collector
        const server = yield* Loopback.serve(Loopback.answer(401, { error: { message: `wrong key: ${secret}` } }))
        const failed = yield* LanguageModel.generateText({ prompt: "Hi" }).pipe(
          Effect.tapError((error) => Effect.logError("no answer", error)),
          Effect.provide(Layer.provideMerge(at(server.url), exportTo({ url }))),
          Effect.flip
        )
        assert.strictEqual(failed.reason._tag, "AuthenticationError")
        const [span] = spans()
        assert.strictEqual(span?.status.code, 2)
        assert.include(span?.status.message, "wrong key: <redacted>")
        const urls = received.map(({ url }) => url).toSorted()
        assert.includeMembers(urls, ["/v1/logs", "/v1/traces"])
        assert.notInclude(JSON.stringify(received), "secret")
      })
    )
  }
})

/** Runs the example as a person would. */
const example = (environment: { readonly [name: string]: string }) =>
  Effect.callback<string>((resume) => {
    const root = fileURLToPath(new URL("../..", import.meta.url))
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(OPENAI|OTEL|MINIAGENTS|NODE(?!_COMPILE_CACHE))_/.test(name)
    )
    const child = spawn(process.execPath, ["--conditions=miniagents-source", "examples/operations/otlp.ts"], {
      cwd: root,
      env: { ...Object.fromEntries(inherited), ...environment }
    })
    let printed = ""
    for (const pipe of [child.stdout, child.stderr]) pipe.on("data", (data) => (printed += String(data)))
    child.on("error", (error) => resume(Effect.die(error)))
    child.on("close", (code) =>
      resume(code === 0 ? Effect.succeed(printed) : Effect.die(new Error(`exit ${code}: ${printed}`)))
    )
    return Effect.sync(() => child.kill())
  })

describe("example 30", { timeout: 60_000 }, () => {
  it.effect("sends the spans of two agents and of their model", () =>
    Effect.gen(function* () {
      const { spans, traces, url } = yield* collector
      const server = yield* Loopback.serve((response, request, count) => {
        const history = JSON.stringify(request.body).includes("history")
        const text = [history ? "Founded by Greeks." : "Home of the pizza."]
        Loopback.stream(OpenAiWire.whole({ text, usage: [9, 12] }))(response, request, count)
      })
      const printed = yield* example({
        OTEL_EXPORTER_OTLP_ENDPOINT: url,
        OPENAI_API_KEY: secret,
        OPENAI_BASE_URL: `${server.url}/v1`
      })
      assert.strictEqual(printed, "Founded by Greeks.\n\nHome of the pizza.\n")
      assert.deepStrictEqual(treeOf(spans()), [
        "visit",
        "  invoke_agent Guide",
        "    invoke_agent Historian",
        "      LanguageModel.streamText",
        "    invoke_agent Cook",
        "      LanguageModel.streamText"
      ])
      assert.notInclude(JSON.stringify(traces()), "secret")
    })
  )

  it.effect("says what it needs where there is no collector or no key", () =>
    Effect.gen(function* () {
      const sentence =
        "Set OTEL_EXPORTER_OTLP_ENDPOINT to the address of a collector, such as http://localhost:4318, and " +
        "OPENAI_API_KEY (or OPENAI_BASE_URL, for a server of your own) to run this example.\n"
      assert.strictEqual(yield* example({ OPENAI_API_KEY: secret }), sentence)
      assert.strictEqual(yield* example({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }), sentence)
    })
  )

  it.effect("answers all the same where nobody collects", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(OpenAiWire.whole({ text: ["Hi."] })))
      const printed = yield* example({
        OTEL_EXPORTER_OTLP_ENDPOINT: yield* Loopback.nobody,
        OPENAI_API_KEY: secret,
        OPENAI_BASE_URL: `${server.url}/v1`
      })
      assert.strictEqual(printed, "Hi.\n\nHi.\n")
    })
  )
})
