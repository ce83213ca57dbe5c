/** What every provider must do with what a server may do, whatever its protocol. */
import { createHash } from "node:crypto"
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import {
  Array,
  Cause,
  Clock,
  Duration,
  Effect,
  Exit,
  Fiber,
  Logger,
  Option,
  Redacted,
  Schema,
  Stream,
  Tracer
} from "effect"
import type { Context, Layer } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import type { AiError, Prompt, Response } from "effect/ai"
import { TestClock } from "effect/testing"
import { MiniAgents } from "miniagents"
import { type Connection, LlmAgent, ModelLayer } from "miniagents/llm"
import * as Loopback from "./Loopback.ts"

/** A response as its model said it; a call has the pieces of its parameters' JSON. */
export interface Said {
  readonly reasoning?: ReadonlyArray<string>
  readonly text?: ReadonlyArray<string>
  readonly calls?: ReadonlyArray<{ readonly id: string; readonly name: string; readonly json: ReadonlyArray<string> }>
  readonly reason?: "length" | "refused" | "stop"
  /** The numbers of tokens in and out; none are sent without. */
  readonly usage?: readonly [number, number]
}

/** How a protocol says what a model says. */
export interface Wire {
  /** The server-sent events: those up to the last piece of content, those that say why it finished, the end marker. */
  readonly say: (said: Said) => {
    readonly content: ReadonlyArray<string>
    readonly finish: ReadonlyArray<string>
    readonly end: ReadonlyArray<string>
  }
}

export interface Provider extends Wire {
  readonly name: string
  /** What the address needs after the host. */
  readonly path: string
  readonly layer: (options: Connection.Options) => Layer.Layer<LanguageModel.LanguageModel>
  /** An event that adds nothing. */
  readonly nothing: ReadonlyArray<string>
  /** What the server sends to keep the connection alive. */
  readonly alive: ReadonlyArray<string>
  readonly error: (message: string, name?: string) => unknown
  /** An error in the middle of a stream. */
  readonly errorEvent: (message: string, name: string) => string
  /** Environment variables in which the SDK looks for keys, addresses and the like. */
  readonly variables: ReadonlyArray<string>
  /** The header a key is sent in. */
  readonly keyOf: (headers: Loopback.Received["headers"]) => unknown
  /** The names of errors of the provider, by the reason they must become. */
  readonly errors: ReadonlyArray<readonly [name: string, reason: string, isRetryable: boolean]>
  readonly schemaOf: (body: unknown) => unknown
}

const prompt: Prompt.RawInput = "Hello"

interface Outcome {
  readonly tokens: ReadonlyArray<string>
  readonly parts: ReadonlyArray<Response.AnyPart>
  readonly error: AiError.AiError | undefined
}

/** Streams to the end, whatever it is. */
export const collect = <R>(
  stream: Stream.Stream<Response.AnyPart, AiError.AiError, R>
): Effect.Effect<Outcome, never, R> =>
  Effect.suspend(() => {
    const parts: Array<Response.AnyPart> = []
    return stream.pipe(
      Stream.runForEach((part) => Effect.sync(() => parts.push(part))),
      Effect.exit,
      Effect.map((exit) => ({
        parts,
        tokens: parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : [])),
        error: Exit.isSuccess(exit) ? undefined : failureOf(exit.cause)
      }))
    )
  })

/** A defect is no outcome. */
const failureOf = (cause: Cause.Cause<AiError.AiError>): AiError.AiError => {
  const reason = cause.reasons[0]
  if (cause.reasons.length !== 1 || reason === undefined || !Cause.isFailReason(reason)) throw Cause.squash(cause)
  return reason.error
}

const assertError = (outcome: Outcome, tag: string, isRetryable: boolean): AiError.AiError => {
  assert.isDefined(outcome.error, "an error")
  const error = outcome.error as AiError.AiError
  assert.strictEqual(error.reason._tag, tag, error.message)
  assert.strictEqual(error.isRetryable, isRetryable, error.message)
  return error
}

const Weather = Tool.make("weather", {
  description: "Tells the weather",
  parameters: Schema.Struct({ city: Schema.String, day: Schema.optionalKey(Schema.String) }),
  success: Schema.String
})
const Watch = Tool.make("clock", { success: Schema.String })
export const toolkit = Toolkit.make(Weather, Watch)

/** Texts in which a byte more or less of a character would show. */
const pieces = ["Größe ", "日本", "語 ", "👩‍🚀", ' "\\n" ok']

const secret = "sk-test-Zm9vYmFyYmF6-0123456789"

export const suite = (provider: Provider): void => {
  const { say } = provider
  const whole = (said: Said): ReadonlyArray<string> => {
    const { content, end, finish } = say(said)
    return [...content, ...finish, ...end]
  }
  const at = (server: Loopback.Loopback, options: Connection.Options = {}) =>
    provider.layer({ apiKey: Redacted.make(secret), baseUrl: server.url + provider.path, ...options })
  const ask = LanguageModel.streamText({ prompt })
  /** All that can be seen of a request that fails. */
  const shownBy = (layer: Layer.Layer<LanguageModel.LanguageModel>) =>
    Effect.gen(function* () {
      const [error, seen] = yield* watched(
        Effect.gen(function* () {
          const { error } = yield* Effect.provide(collect(ask), layer)
          yield* Effect.logError("failed", error)
          return error
        })
      )
      assert.isDefined(error)
      assert.isAbove(seen.length, 1)
      const shown = [inspect(error, { depth: 20, showHidden: true }), JSON.stringify(error), String(error)]
      return [...shown, Cause.pretty(Cause.fail(error)), ...seen]
    })
  /** Streams what a server says to one request. */
  const hear = (handler: Loopback.Handler, options?: Connection.Options) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(handler)
      return yield* Effect.provide(collect(ask), at(server, options))
    })

  describe("what the model says", () => {
    it.effect("comes as metadata, blocks and a finish with the usage", () =>
      Effect.gen(function* () {
        const said: Said = { reasoning: ["hm", "m"], text: ["a", "b"], usage: [7, 3] }
        const { error, parts } = yield* hear(Loopback.stream(whole(said)))
        assert.isUndefined(error)
        assert.deepStrictEqual(
          parts.map((part) => ("delta" in part ? `${part.type} ${part.delta}` : part.type)),
          [
            "response-metadata",
            "reasoning-start",
            "reasoning-delta hm",
            "reasoning-delta m",
            "reasoning-end",
            "text-start",
            "text-delta a",
            "text-delta b",
            "text-end",
            "finish"
          ]
        )
        const first = parts[0] as Response.ResponseMetadataPart
        assert.deepStrictEqual([first.id, first.modelId], ["response-1", "model-1"])
        assert.isDefined(first.timestamp)
        const last = parts.at(-1) as Response.FinishPart
        assert.strictEqual(last.reason, "stop")
        assert.deepStrictEqual([last.usage.inputTokens.total, last.usage.outputTokens.total], [7, 3])
      })
    )

    it.effect("is the same in pieces of any size", () =>
      Effect.gen(function* () {
        const bytes = Buffer.from(whole({ text: pieces, usage: [1, 1] }).join(""))
        const cuts = [1, 2, 3, 5, 7].map((size) =>
          Array.makeBy(Math.ceil(bytes.length / size), (i) => bytes.subarray(i * size, (i + 1) * size))
        )
        const server = yield* Loopback.serve((response, request, count) =>
          Loopback.stream(cuts[count - 1] ?? [])(response, request, count)
        )
        for (const cut of cuts) {
          const outcome = yield* Effect.provide(collect(ask), at(server))
          assert.deepStrictEqual([outcome.tokens, outcome.error], [pieces, undefined], `${cut.length} chunks`)
        }
      })
    )

    it.effect("is the same wherever its bytes are cut", () =>
      Effect.gen(function* () {
        const call = { id: "1", name: "weather", json: ['{"city":', '"Köln","day":null}'] }
        const bytes = Buffer.from(whole({ reasoning: ["ß"], text: ["é", "👩‍🚀"], calls: [call], usage: [7, 3] }).join(""))
        // the first response is cut at bytes 1, 33, 65 and so on, the next one at 2, 34, 66: at each byte in the end
        const cut = (first: number) =>
          Array.makeBy(Math.ceil(bytes.length / 32) + 1, (i) =>
            bytes.subarray(Math.max(0, first + (i - 1) * 32), first + i * 32)
          )
        const server = yield* Loopback.serve((response, request, count) =>
          Loopback.stream(cut(count))(response, request, count)
        )
        yield* Effect.gen(function* () {
          const ask = collect(LanguageModel.streamText({ prompt, toolkit, disableToolCallResolution: true }))
          const outcomes = yield* Effect.forEach(Array.range(1, 32), () => ask)
          const [first] = outcomes
          assert.deepStrictEqual(first?.tokens, ["é", "👩‍🚀"])
          assert.deepInclude(first?.parts.at(-2), { type: "tool-call", params: { city: "Köln" } })
          for (const outcome of outcomes) assert.deepStrictEqual(timeless(outcome), timeless(first))
        }).pipe(
          Effect.provide([
            at(server),
            toolkit.toLayer({ weather: () => Effect.succeed(""), clock: () => Effect.succeed("") })
          ])
        )
        assert.strictEqual(Buffer.concat(cut(7)).toString(), bytes.toString())
      })
    )

    it.effect("is the same with comments, keep-alives, empty pieces and any line ends", () =>
      Effect.gen(function* () {
        const { content, end, finish } = say({ text: ["a", "b"] })
        const noise = [": comment\n\n", ...provider.alive, ...provider.nothing]
        const noisy = [...content.flatMap((event) => [event, ...noise]), ...noise, ...finish, ...noise, ...end]
        for (const lineEnd of ["\n", "\r\n", "\r"]) {
          const { error, parts, tokens } = yield* hear(
            Loopback.stream(noisy.map((event) => event.replaceAll("\n", lineEnd)))
          )
          assert.deepStrictEqual([tokens, error], [["a", "b"], undefined])
          assert.strictEqual(parts.length, 6)
        }
      })
    )

    it.effect.each([
      ["no space after the colon", (events: string) => events.replaceAll("data: ", "data:")],
      ["a byte order mark", (events: string) => `\uFEFF${events}`],
      ["ids and times to reconnect", (events: string) => events.replaceAll("data: ", "id: 7\nretry: 100\ndata: ")],
      ["data on several lines", (events: string) => events.replaceAll(',"', ',\ndata: "')]
    ] as const)("is the same with %s", ([, change]) =>
      Effect.gen(function* () {
        const { error, parts, tokens } = yield* hear(Loopback.stream([change(whole({ text: ["a", "b"] }).join(""))]))
        assert.deepStrictEqual([tokens, error], [["a", "b"], undefined])
        const [first] = parts as ReadonlyArray<Response.ResponseMetadataPart>
        assert.deepStrictEqual([parts.length, first?.id], [6, "response-1"])
      })
    )

    it.effect.each([
      ["length", "length"],
      ["refused", "content-filter"]
    ] as const)("finishes for the reason %s", ([reason, expected]) =>
      Effect.gen(function* () {
        const { parts } = yield* hear(Loopback.stream(whole({ text: ["a"], reason })))
        assert.strictEqual((parts.at(-1) as Response.FinishPart).reason, expected)
      })
    )

    it.effect("has no usage when none is sent", () =>
      Effect.gen(function* () {
        const { error, parts } = yield* hear(Loopback.stream(whole({ text: ["a"] })))
        assert.isUndefined(error)
        assert.isUndefined((parts.at(-1) as Response.FinishPart).usage.outputTokens.total)
      })
    )

    it.effect("is whole without an end marker", () =>
      Effect.gen(function* () {
        const { content, finish } = say({ text: ["a", "b"], usage: [4, 2] })
        const { error, parts, tokens } = yield* hear(Loopback.stream([...content, ...finish]))
        assert.deepStrictEqual([tokens, error], [["a", "b"], undefined])
        assert.strictEqual((parts.at(-1) as Response.FinishPart).usage.outputTokens.total, 2)
      })
    )

    it.effect("is whole when the connection is cut after it", () =>
      Effect.gen(function* () {
        const { content, end, finish } = say({ text: ["a"] })
        for (const events of [
          [...content, ...finish],
          [...content, ...finish, ...end]
        ]) {
          const { error, parts, tokens } = yield* hear(Loopback.stream(events, "cut"))
          assert.deepStrictEqual([tokens, error], [["a"], undefined])
          assert.strictEqual(parts.at(-1)?.type, "finish")
        }
      })
    )

    it.effect("is whole when the server then keeps the connection open", () =>
      Effect.gen(function* () {
        const { content, finish } = say({ text: ["a"] })
        const server = yield* Loopback.serve(Loopback.stream([...content, ...finish], "hang"))
        const fiber = yield* Effect.forkChild(Effect.provide(collect(ask), at(server)))
        yield* server.asked
        yield* pass(fiber, "1 second")
        assert.isAtMost(yield* Clock.currentTimeMillis, 12_000)
        const { error, tokens } = yield* Fiber.join(fiber)
        assert.deepStrictEqual([tokens, error], [["a"], undefined])
      })
    )

    it.effect("finishes with its end marker, and waits for nothing else", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] }), "hang"))
        const { parts } = yield* Effect.provide(
          collect(Stream.takeUntil(ask, (part) => part.type === "finish")),
          at(server)
        )
        assert.strictEqual(parts.at(-1)?.type, "finish")
        assert.strictEqual(yield* Clock.currentTimeMillis, 0)
      })
    )

    it.effect("in one piece is the same as streamed", () =>
      Effect.gen(function* () {
        const said: Said = { reasoning: ["h", "m"], text: ["a", "b"], usage: [7, 3] }
        const server = yield* Loopback.serve(Loopback.stream(whole(said)))
        const response = yield* Effect.provide(LanguageModel.generateText({ prompt }), at(server))
        assert.deepStrictEqual(
          [response.text, response.reasoningText, response.finishReason, response.usage.outputTokens.total],
          ["ab", "hm", "stop", 3]
        )
        assert.deepStrictEqual(
          response.content.map((part) => part.type),
          ["response-metadata", "reasoning", "text", "finish"]
        )
      })
    )
  })

  describe("tools", () => {
    const callsOf = (parts: ReadonlyArray<Response.AnyPart>) =>
      parts.flatMap((part) => (part.type === "tool-call" ? [[part.id, part.name, part.params]] : []))
    const askWithTools = LanguageModel.streamText({ prompt, toolkit, disableToolCallResolution: true }).pipe(
      Stream.provide(toolkit.toLayer({ weather: () => Effect.succeed("sun"), clock: () => Effect.succeed("noon") }))
    )
    const hearTools = (said: Said) =>
      Effect.flatMap(Loopback.serve(Loopback.stream(whole(said))), (server) =>
        Effect.provide(collect(askWithTools), at(server))
      )

    it.effect("calls come in pieces and then whole", () =>
      Effect.gen(function* () {
        const { error, parts } = yield* hearTools({
          text: ["Let me see."],
          calls: [
            { id: "1", name: "weather", json: ['{"ci', 'ty":"Köl', 'n","day":null}'] },
            { id: "2", name: "clock", json: [] }
          ]
        })
        assert.isUndefined(error)
        assert.deepStrictEqual(callsOf(parts), [
          ["1", "weather", { city: "Köln" }],
          ["2", "clock", {}]
        ])
        const first = parts.filter((part) => "id" in part && part.id === "1").map((part) => part.type)
        assert.deepStrictEqual(first, [
          "tool-params-start",
          "tool-params-delta",
          "tool-params-delta",
          "tool-params-delta",
          "tool-params-end",
          "tool-call"
        ])
        assert.strictEqual((parts.at(-1) as Response.FinishPart).reason, "tool-calls")
      })
    )

    it.effect("run, and their results follow the calls", () =>
      Effect.gen(function* () {
        const said: Said = { calls: [{ id: "1", name: "weather", json: ['{"city":"Rome","day":null}'] }] }
        const server = yield* Loopback.serve(Loopback.stream(whole(said)))
        const layer = toolkit.toLayer({ weather: ({ city }) => Effect.succeed(city), clock: () => Effect.succeed("") })
        const { error, parts } = yield* Effect.provide(collect(LanguageModel.streamText({ prompt, toolkit })), [
          at(server),
          layer
        ])
        assert.isUndefined(error)
        const result = parts.find((part) => part.type === "tool-result")
        assert.strictEqual(result?.result, "Rome")
      })
    )

    it.effect("with parameters that are not JSON end in an error after what came before", () =>
      Effect.gen(function* () {
        const outcome = yield* hearTools({ text: ["a"], calls: [{ id: "1", name: "weather", json: ['{"city":'] }] })
        assert.deepStrictEqual(outcome.tokens, ["a"])
        assertError(outcome, "ToolParameterValidationError", true)
      })
    )
  })

  describe("a call that is refused", () => {
    it.effect("takes nothing with it of what came together with it", () =>
      Effect.gen(function* () {
        const said: Said = { text: ["a"], calls: [{ id: "1", name: "weather", json: ['{"city":7,"day":null}'] }] }
        const server = yield* Loopback.serve(Loopback.stream([whole(said).join("")]))
        const strict = LanguageModel.streamText({ prompt, toolkit, disableToolCallResolution: true })
        const outcome = yield* Effect.provide(collect(strict), [
          at(server),
          toolkit.toLayer({ weather: () => Effect.succeed(""), clock: () => Effect.succeed("") })
        ])
        assert.deepStrictEqual(outcome.tokens, ["a"])
        assertError(outcome, "InvalidOutputError", true)
      })
    )
  })

  describe("structured output", () => {
    it.effect("asks for the schema and gives the value", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(whole({ text: ['{"na', 'me":"Ada"}'] })))
        const schema = Schema.Struct({ name: Schema.String })
        const response = yield* Effect.provide(LanguageModel.generateObject({ prompt, schema }), at(server))
        assert.deepStrictEqual(response.value, { name: "Ada" })
        assert.deepStrictEqual(provider.schemaOf(server.received[0]?.body), {
          type: "object",
          properties: { name: { type: "string" } },
          required: ["name"],
          additionalProperties: false
        })
      })
    )

    it.effect("can be seen as it grows, before it is whole", () =>
      Effect.gen(function* () {
        const said = whole({ text: ['{"name"', ':"A', 'da"}'] })
        const goOn: Array<() => void> = []
        const server = yield* Loopback.serve((response) => {
          Loopback.startStream(response)
          // all up to the second piece of the text, and the rest when that was seen
          const at = said.findIndex((event) => event.includes('da\\"}'))
          for (const event of said.slice(0, at)) response.write(event)
          goOn.push(() => {
            for (const event of said.slice(at)) response.write(event)
            response.end()
          })
        })
        const agent = LlmAgent.makeObject("Namer", { schema: Schema.Struct({ name: Schema.String }) })
        yield* Effect.gen(function* () {
          const replies = yield* agent.trigger("Hi")
          const seen = yield* Stream.runHead(Stream.filter(replies.partial, ({ name = "" }) => name !== ""))
          assert.deepStrictEqual(Option.getOrUndefined(seen), { name: "A" })
          goOn[0]?.()
          assert.deepStrictEqual(yield* replies.object, { name: "Ada" })
        }).pipe(Effect.provide([at(server), MiniAgents.layer()]))
      })
    )

    it.effect("that does not fit the schema is a typed error with the text", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(whole({ text: ['{"name":1}'] })))
        const schema = Schema.Struct({ name: Schema.String })
        const error = yield* LanguageModel.generateObject({ prompt, schema }).pipe(
          Effect.provide(at(server)),
          Effect.flip
        )
        assert.strictEqual(error.reason._tag, "StructuredOutputError")
        assert.include(JSON.stringify(error.reason), '{\\"name\\":1}')
      })
    )
  })

  describe("structured output that is none", () => {
    it.effect.each([
      ["cut by the token limit", { text: ['{"na'], reason: "length" }, "StructuredOutputError", "token limit"],
      ["refused", { text: ["I won't"], reason: "refused" }, "ContentPolicyError", "I won't"]
    ] as const)("as it was %s is a typed error that says so", ([, said, tag, words]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(whole(said)))
        const schema = Schema.Struct({ name: Schema.String })
        const error = yield* LanguageModel.generateObject({ prompt, schema }).pipe(
          Effect.provide(at(server)),
          Effect.flip
        )
        assert.strictEqual(error.reason._tag, tag)
        assert.include(error.message, words)
      })
    )

    it.effect("is whole when the token limit came right after it", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(whole({ text: ['{"name":"Ada"}'], reason: "length" })))
        const schema = Schema.Struct({ name: Schema.String })
        const response = yield* Effect.provide(LanguageModel.generateObject({ prompt, schema }), at(server))
        assert.deepStrictEqual(response.value, { name: "Ada" })
      })
    )
  })

  describe("a server that refuses", () => {
    it.effect.each([
      [400, "InvalidRequestError", false],
      [401, "AuthenticationError", false],
      [402, "QuotaExhaustedError", false],
      [403, "AuthenticationError", false],
      [404, "InvalidRequestError", false],
      [408, "InternalProviderError", true],
      [409, "InternalProviderError", true],
      [413, "InvalidRequestError", false],
      [418, "UnknownError", false],
      [422, "InvalidRequestError", false],
      [429, "RateLimitError", true],
      [500, "InternalProviderError", true],
      [502, "InternalProviderError", true],
      [503, "InternalProviderError", true],
      [529, "InternalProviderError", true]
    ] as const)("with %s is a typed error after one request", ([status, tag, isRetryable]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.answer(status, provider.error("no such luck")))
        const outcome = yield* Effect.provide(collect(ask), at(server))
        const { reason } = assertError(outcome, tag, isRetryable)
        assert.deepStrictEqual(outcome.tokens, [])
        assert.strictEqual(server.received.length, 1)
        if ("description" in reason) assert.strictEqual(reason.description, "no such luck")
        if ("http" in reason) assert.strictEqual(reason.http?.response?.status, status)
      })
    )

    it.effect.each([
      [{ "retry-after": "7" }, 7_000],
      [{ "retry-after": "0.5" }, 500],
      [{ "retry-after": "Thu, 01 Jan 1970 00:01:00 GMT" }, 50_000],
      [{ "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" }, 0],
      [{ "retry-after-ms": "250", "retry-after": "1" }, 250],
      [{ "retry-after": "soon" }, undefined],
      [{}, undefined]
    ] as const)("with 429 says when to try again", ([headers, millis]) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("10 seconds")
        const { error } = yield* hear(Loopback.answer(429, provider.error("slow down"), headers))
        assert.strictEqual(error?.retryAfter && Duration.toMillis(error.retryAfter), millis)
      })
    )

    it.effect("says what helps to find out why, and nothing else that the server sent", () =>
      Effect.gen(function* () {
        const headers = { "x-request-id": "req-1", "x-ratelimit-remaining-tokens": "0", "set-cookie": "session=1" }
        const { error } = yield* hear(Loopback.answer(429, provider.error("slow down"), headers))
        const http = error?.reason._tag === "RateLimitError" ? error.reason.http : undefined
        assert.deepStrictEqual(http?.response?.headers, {
          "content-type": "application/json",
          "x-request-id": "req-1",
          "x-ratelimit-remaining-tokens": "0"
        })
        assert.deepStrictEqual(
          JSON.parse(http?.body ?? "").message ?? JSON.parse(http?.body ?? "").error.message,
          "slow down"
        )
      })
    )

    it.effect("with 401 tells a missing key from a wrong one", () =>
      Effect.gen(function* () {
        const refuse = Loopback.answer(401, provider.error("who are you"))
        const kinds = [
          (yield* hear(refuse)).error?.reason,
          (yield* hear(refuse, { apiKey: undefined })).error?.reason
        ].map((reason) => reason?._tag === "AuthenticationError" && reason.kind)
        assert.deepStrictEqual(kinds, ["InvalidKey", "MissingKey"])
      })
    )

    it.effect.each(provider.errors)("with the name %s is a typed error, also in the middle of a stream", (row) =>
      Effect.gen(function* () {
        const [name, tag, isRetryable] = row
        const { content } = say({ text: ["a", "b"] })
        const outcome = yield* hear(Loopback.stream([...content, provider.errorEvent("oh no", name)]))
        assert.deepStrictEqual(outcome.tokens, ["a", "b"])
        assertError(outcome, tag, isRetryable)
      })
    )

    it.effect("with a page of HTML is a typed error that does not hold the whole page", () =>
      Effect.gen(function* () {
        const page = `<html><body>${"<p>Bad Gateway</p>".repeat(1_000)}</body></html>`
        for (const body of [page, provider.error(page)]) {
          const error = assertError(yield* hear(Loopback.answer(502, body)), "InternalProviderError", true)
          assert.isBelow(JSON.stringify(error).length, 6_000)
        }
      })
    )

    it.effect.each([
      ["text/html", "<html>Log in first</html>"],
      ["application/json", '{"ok":true}']
    ])("by saying all is well with %s is a typed error", ([type, body]) =>
      Effect.gen(function* () {
        const error = assertError(
          yield* hear((response) => void response.writeHead(200, { "content-type": type }).end(body)),
          "InvalidResponseError",
          false
        )
        assert.include(error.message, type)
      })
    )
  })

  describe("a connection", () => {
    it.effect("that nobody answers is a typed error", () =>
      Effect.gen(function* () {
        const url = yield* Loopback.nobody
        const layer = provider.layer({ baseUrl: url + provider.path })
        const error = assertError(yield* Effect.provide(collect(ask), layer), "NetworkError", true)
        assert.include(error.message, url)
        assert.include(error.message, "ECONNREFUSED")
      })
    )

    it.effect("that is cut before the response is a typed error", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve((response) => void response.socket?.destroy())
        const outcome = yield* Effect.provide(collect(ask), at(server))
        assertError(outcome, "NetworkError", true)
        // nobody has tried again behind our back
        assert.strictEqual(server.received.length, 1)
      })
    )

    it.effect.each([
      ["at once", ""],
      ["with what is no HTTP", "220 mail.example.org ESMTP\r\n"],
      ["in the middle of the head", "HTTP/1.1 200 OK\r\ncontent-type: text/ev"]
    ])("to a server that hangs up %s is a typed error", ([, said]) =>
      Effect.gen(function* () {
        const url = yield* Loopback.raw((socket) => socket.end(said))
        const outcome = yield* Effect.provide(collect(ask), provider.layer({ baseUrl: url + provider.path }))
        assertError(outcome, "NetworkError", true)
      })
    )

    it.effect("that is to be encrypted, to a server that does not, is a typed error", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(() => {})
        const baseUrl = server.url.replace("http:", "https:") + provider.path
        assertError(yield* Effect.provide(collect(ask), provider.layer({ baseUrl })), "NetworkError", true)
      })
    )

    it.effect("that is cut before the first token is a typed error", () =>
      Effect.gen(function* () {
        const outcome = yield* hear(Loopback.stream([], "cut"))
        assertError(outcome, "NetworkError", true)
      })
    )

    it.effect("that is cut in the middle gives the tokens so far and a typed error", () =>
      Effect.gen(function* () {
        const { content } = say({ text: pieces })
        const outcome = yield* hear(Loopback.stream(content, "cut"))
        assert.deepStrictEqual(outcome.tokens, pieces)
        assertError(outcome, "NetworkError", true)
      })
    )

    it.effect("that ends before the model has finished gives the tokens so far and a typed error", () =>
      Effect.gen(function* () {
        const { content } = say({ text: ["a", "b"] })
        for (let count = 0; count <= content.length; count++) {
          const outcome = yield* hear(Loopback.stream(content.slice(0, count)))
          assertError(outcome, "NetworkError", true)
          assert.deepStrictEqual(outcome.tokens, ["a", "b"].slice(0, outcome.tokens.length))
          if (count === content.length) assert.deepStrictEqual(outcome.tokens, ["a", "b"])
        }
      })
    )

    it.effect("with invalid JSON gives the tokens so far and a typed error", () =>
      Effect.gen(function* () {
        const { content, end, finish } = say({ text: ["a", "b"] })
        const broken = content.at(-1)?.replace("{", "{{") ?? ""
        const outcome = yield* hear(Loopback.stream([...content, broken, ...finish, ...end]))
        assert.deepStrictEqual(outcome.tokens, ["a", "b"])
        assertError(outcome, "InvalidResponseError", false)
      })
    )

    it.effect.each(["null", "[]", "7", '"text"', "{}", '{"choices":7}', '{"type":"content_block_delta"}'])(
      "with an event %s of no protocol never hangs or dies",
      (json) =>
        Effect.gen(function* () {
          const { content, end, finish } = say({ text: ["a"] })
          const event = (content.at(-1) ?? "").replace(/data: .*/, `data: ${json}`)
          const outcome = yield* hear(Loopback.stream([...content, event, ...finish, ...end]))
          assert.deepStrictEqual(outcome.tokens, ["a"])
          if (json === "null" || outcome.error !== undefined) assertError(outcome, "InvalidResponseError", false)
        })
    )

    it.effect("to no address is a typed error", () =>
      Effect.gen(function* () {
        const error = assertError(
          yield* Effect.provide(collect(ask), provider.layer({ baseUrl: "not an address" })),
          "NetworkError",
          false
        )
        assert.strictEqual(error.reason._tag === "NetworkError" && error.reason.reason, "InvalidUrlError")
      })
    )
  })

  describe("a server that says nothing", () => {
    const options: Connection.Options = { firstToken: "30 seconds", betweenTokens: "10 seconds" }
    const { content } = say({ text: ["a", "b"] })
    const silent: ReadonlyArray<readonly [string, Loopback.Handler, ReadonlyArray<string>, Duration.Input]> = [
      ["at all", () => {}, [], "30 seconds"],
      ["after the head of the response", Loopback.stream([], "hang"), [], "30 seconds"],
      ["but that it is alive", Loopback.stream([...provider.alive, ": x\n\n"], "hang"), [], "30 seconds"],
      ["but empty pieces", Loopback.stream(provider.nothing, "hang"), [], "30 seconds"],
      ["after a few tokens", Loopback.stream(content, "hang"), ["a", "b"], "10 seconds"]
    ]

    it.effect.each(silent)("%s is given up in time", ([, handler, tokens, limit]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(handler)
        const seen: Array<Response.AnyPart> = []
        const streamed = Stream.tap(ask, (part) => Effect.sync(() => seen.push(part)))
        const fiber = yield* Effect.forkChild(Effect.provide(collect(streamed), at(server, options)))
        yield* server.asked
        // Everything the server has said must have been read, or it would be read after the time has passed.
        while (seen.filter((part) => part.type === "text-delta").length < tokens.length) yield* tick
        yield* ticks
        yield* TestClock.adjust(Duration.subtract(Duration.fromInputUnsafe(limit), Duration.millis(1)))
        yield* ticks
        assert.isUndefined(fiber.pollUnsafe())
        yield* pass(fiber, 1)
        assert.isBelow(yield* Clock.currentTimeMillis, Duration.toMillis(limit) + 1_000)
        const outcome = yield* Fiber.join(fiber)
        assert.deepStrictEqual(outcome.tokens, tokens)
        const error = assertError(outcome, "InternalProviderError", true)
        assert.include(error.message, `nothing came within ${Duration.format(Duration.fromInputUnsafe(limit))}`)
        yield* server.closed
      })
    )

    it.effect("but an empty piece now and then is given up in time, as if it had said nothing", () =>
      Effect.gen(function* () {
        let say = () => {}
        const server = yield* Loopback.serve((response) => {
          Loopback.startStream(response)
          say = () => void response.write(provider.nothing[0])
          say()
        })
        const fiber = yield* Effect.forkChild(Effect.provide(collect(ask), at(server, options)))
        yield* server.asked
        for (const _ of [1, 2]) {
          yield* ticks
          yield* TestClock.adjust("12 seconds")
          assert.isUndefined(fiber.pollUnsafe())
          say()
        }
        yield* ticks
        yield* TestClock.adjust("5999 millis")
        yield* ticks
        assert.isUndefined(fiber.pollUnsafe())
        yield* pass(fiber, 1)
        assert.isBelow(yield* Clock.currentTimeMillis, 31_000)
        assertError(yield* Fiber.join(fiber), "InternalProviderError", true)
      })
    )

    it.effect.each(["5 seconds", "20 minutes"] as const)(
      "at all is given up after %s, where its layer says so",
      (limit) =>
        Effect.gen(function* () {
          const server = yield* Loopback.serve(() => {})
          const layer = at(server, options).pipe(ModelLayer.timeouts({ firstToken: limit }))
          const fiber = yield* Effect.forkChild(Effect.provide(collect(ask), layer))
          yield* server.asked
          yield* TestClock.adjust(Duration.subtract(Duration.fromInputUnsafe(limit), Duration.millis(1)))
          yield* ticks
          assert.isUndefined(fiber.pollUnsafe())
          yield* pass(fiber, 1)
          const error = assertError(yield* Fiber.join(fiber), "InternalProviderError", true)
          assert.include(error.message, `nothing came within ${Duration.format(Duration.fromInputUnsafe(limit))}`)
          yield* server.closed
        })
    )

    it.effect("for long, but never too long, has as much time as it takes", () =>
      Effect.gen(function* () {
        const { content, end, finish } = say({ text: ["a", "b", "c", "d"] })
        const pieces = [...content, [...finish, ...end].join("")]
        let next_ = () => {}
        const server = yield* Loopback.serve((response) => {
          Loopback.startStream(response)
          next_ = () => void response.write(pieces.shift() ?? "")
          while (pieces.length > 4) next_()
        })
        const heard: Array<string> = []
        const streamed = Stream.tap(ask, (part) => Effect.sync(() => heard.push(part.type)))
        const fiber = yield* Effect.forkChild(
          Effect.provide(collect(Stream.takeUntil(streamed, (part) => part.type === "finish")), at(server, options))
        )
        yield* server.asked
        const until = (expected: string) => Effect.repeat(tick, { until: () => heard.at(-1) === expected })
        for (const next of ["text-delta", "text-delta", "text-delta", "finish"]) {
          yield* until("text-delta")
          heard.push("8 seconds later")
          yield* ticks
          yield* TestClock.adjust("8 seconds")
          next_()
          yield* until(next)
        }
        const { error, tokens } = yield* Fiber.join(fiber)
        assert.deepStrictEqual([tokens, error], [["a", "b", "c", "d"], undefined])
      })
    )

    it.effect("is waited for by Node's own client for as long as was said", () =>
      Effect.gen(function* () {
        const seen: Array<object> = []
        // Node makes it with the first request.
        yield* hear(Loopback.stream(whole({ text: ["a"] })))
        yield* Effect.acquireRelease(
          Effect.sync(() => watchDispatcher((options) => seen.push(options))),
          (restore) => Effect.sync(restore)
        )
        const { tokens } = yield* hear(Loopback.stream(whole({ text: ["a"] })))
        assert.deepStrictEqual(tokens, ["a"])
        assert.strictEqual(seen.length, 1)
        assert.deepInclude(seen[0], { headersTimeout: 0, bodyTimeout: 0 })
      })
    )

    it.effect("has all the time its reader takes", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a", "b", "c"] })))
        const slow = Stream.tap(ask, () => TestClock.adjust("1 hour"))
        const { error, tokens } = yield* Effect.provide(collect(slow), at(server, options))
        assert.deepStrictEqual([tokens, error], [["a", "b", "c"], undefined])
      })
    )
  })

  describe("interruption", () => {
    it.effect.each([
      ["before the response", () => {}],
      ["in the middle of it", Loopback.stream(say({ text: ["a"] }).content, "hang")]
    ] as const)("%s is seen by the server as a closed connection", ([, handler]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(handler)
        const fiber = yield* Effect.forkChild(Effect.provide(collect(ask), at(server)))
        yield* server.asked
        yield* Fiber.interrupt(fiber)
        yield* server.closed
      })
    )

    it.effect("of a reader who has had enough closes the connection", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(say({ text: ["a", "b"] }).content, "hang"))
        const { tokens } = yield* Effect.provide(
          collect(Stream.takeUntil(ask, (part) => part.type === "text-delta")),
          at(server)
        )
        assert.deepStrictEqual(tokens, ["a"])
        yield* server.closed
      })
    )

    it.effect("of many requests at once leaves none", () =>
      Effect.gen(function* () {
        const open = new Set<unknown>()
        const server = yield* Loopback.serve((response, request, count) => {
          open.add(response)
          response.on("close", () => open.delete(response))
          Loopback.stream(say({ text: ["a"] }).content, "hang")(response, request, count)
        })
        yield* Effect.gen(function* () {
          const model = yield* LanguageModel.LanguageModel
          const fibers = yield* Effect.forEach(Array.range(1, 20), () =>
            Effect.forkChild(collect(model.streamText({ prompt })))
          )
          while (server.received.length < 20) yield* tick
          yield* Fiber.interruptAll(fibers)
        }).pipe(Effect.provide(at(server)))
        while (open.size > 0) yield* tick
      })
    )
  })

  describe("the key", () => {
    it.effect("is sent, and nothing is sent without one", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
        yield* Effect.provide(collect(ask), at(server))
        yield* Effect.provide(collect(ask), at(server, { apiKey: undefined }))
        const keys = server.received.map(({ headers }) => provider.keyOf(headers))
        assert.include(String(keys[0]), secret)
        assert.isUndefined(keys[1])
        // Nor what stands in for it.
        assert.notInclude(JSON.stringify(server.received[1]?.headers), "none")
      })
    )

    it.effect("is not looked for in the environment, nor is anything else", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            const before = provider.variables.map((name) => [name, process.env[name]] as const)
            for (const name of provider.variables) process.env[name] = `http://127.0.0.1:1/${secret}`
            return before
          }),
          (before) =>
            Effect.sync(() => {
              for (const [name, value] of before) {
                if (value === undefined) delete process.env[name]
                else process.env[name] = value
              }
            })
        )
        const { tokens } = yield* Effect.provide(collect(ask), at(server, { apiKey: undefined }))
        assert.deepStrictEqual(tokens, ["a"])
        assert.notInclude(JSON.stringify(server.received), secret)
      })
    )

    it.effect.each([
      ["is echoed in an error", secret, Loopback.answer(401, provider.error(`wrong key: ${secret}`))],
      ["is echoed in a header", secret, Loopback.answer(429, provider.error("no"), { "x-request-id": secret })],
      ["is echoed in a page", secret, Loopback.answer(500, `<html>${"x".repeat(270)}${secret}</html>`)],
      ["is echoed in a stream", secret, Loopback.stream([provider.errorEvent(`key ${secret}`, "unheard_of")])],
      ["is echoed in broken JSON", secret, Loopback.stream([provider.errorEvent("", "").replace("{", `{${secret}`)])],
      ["cannot be a header", `${secret}\n${secret}`, Loopback.answer(401, provider.error("no"))],
      ["must be escaped in JSON", `"\\${secret}`, Loopback.answer(401, provider.error(`wrong: "\\${secret}`))]
    ] as const satisfies ReadonlyArray<readonly [string, string, Loopback.Handler]>)(
      "appears in no error, log or span when it %s",
      ([, key, handler]) =>
        Effect.gen(function* () {
          const server = yield* Loopback.serve(handler)
          for (const text of yield* shownBy(at(server, { apiKey: Redacted.make(key) }))) {
            assert.notInclude(text, secret.slice(0, 12))
          }
        })
    )

    it.effect.each([
      ["a password", (url: string) => url.replace("//", `//me:${secret}@`)],
      ["a password that must be escaped", (url: string) => url.replace("//", `//me:%40${secret}@`)],
      ["a password with an at sign", (url: string) => url.replace("//", `//me:at@${secret}@`)],
      ["a password with a slash", (url: string) => url.replace("//", `//me:x/${secret}@`)],
      ["a token", (url: string) => `${url}?token=${secret}`],
      ["a password and no server", () => `http://me:${secret}@`]
    ] as const)("is as safe as %s in the address", ([, addressOf]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve((response) => void response.socket?.destroy())
        const apiKey = Redacted.make("another")
        const baseUrl = addressOf(server.url + provider.path)
        const texts = yield* shownBy(at(server, { apiKey, baseUrl }))
        for (const text of texts) assert.notInclude(text, secret.slice(0, 12))
        // what is left of the address is shown
        if (URL.canParse(baseUrl)) assert.include(texts.join("\n"), server.url)
      })
    )
  })

  it.effect("every request has a span with what it asked for and what came", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"], usage: [7, 3] })))
      const spans: Array<Tracer.NativeSpan> = []
      yield* Effect.provide(collect(ask), at(server)).pipe(Effect.withTracer(recordingTracer(spans)))
      const span = spans.find((span) => span.name === "LanguageModel.streamText")
      const attributes = Object.fromEntries(span?.attributes ?? [])
      assert.deepInclude(attributes, {
        "gen_ai.provider.name": provider.name,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "test-model",
        "gen_ai.response.id": "response-1",
        "gen_ai.response.model": "model-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3
      })
    })
  )
}

/** Sees what is asked of the client of the whole program, which a user may have set. */
const watchDispatcher = (onRequest: (options: object) => void): (() => void) => {
  // which of them it is depends on the undici inside of Node
  const names = ["undici.globalDispatcher.2", "undici.globalDispatcher.1"].map((name) => Symbol.for(name))
  const restores = names
    .filter((name) => Reflect.has(globalThis, name))
    .map((name) => {
      const before = Reflect.get(globalThis, name) as { dispatch: (options: object, handler: object) => boolean }
      const watching = {
        dispatch: (options: object, handler: object) => {
          onRequest(options)
          return before.dispatch(options, handler)
        }
      }
      Reflect.set(globalThis, name, watching)
      return () => void Reflect.set(globalThis, name, before)
    })
  return () => restores.forEach((restore) => restore())
}

/** The mark on what another server than the provider's own has said. */
export const mark = ({ url }: Loopback.Loopback): { readonly server: string } => ({
  server: createHash("sha256").update(new URL(url).host).digest("hex").slice(0, 12)
})

/** What does not depend on when it was heard. */
const timeless = (outcome: Outcome | undefined): object => JSON.parse(JSON.stringify(outcome?.parts.slice(1)))

/** One turn of Node's event loop, in which sockets are read. */
export const tick: Effect.Effect<void> = Effect.callback((resume) => void setImmediate(() => resume(Effect.void)))

const ticks = Effect.repeat(tick, { times: 20 })

/** Lets time pass for a fiber until it ends: what it waits for may not have come in when the clock is first moved. */
export const pass = <A, E>(fiber: Fiber.Fiber<A, E>, duration: Duration.Input): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (fiber.pollUnsafe() === undefined) {
      yield* TestClock.adjust(duration)
      yield* tick
    }
  })

export const recordingTracer = (spans: Array<Tracer.NativeSpan>): Tracer.Tracer =>
  Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })

/** Runs an effect and gives all that it logged, to the console too, and all that its spans hold. */
export const watched = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<string>], E, R> =>
  Effect.suspend(() => {
    const seen: Array<string> = []
    const spans: Array<Tracer.NativeSpan> = []
    const show = (value: unknown) => void seen.push(inspect(value, { depth: 20 }))
    const methods = ["debug", "error", "info", "log", "warn"] as const
    const original = methods.map((method) => console[method])
    for (const method of methods) console[method] = (...values: ReadonlyArray<unknown>) => values.forEach(show)
    const logger = Logger.make<unknown, void>(({ cause, message }) => {
      show(message)
      seen.push(Cause.pretty(cause))
    })
    return effect.pipe(
      Effect.withTracer(recordingTracer(spans)),
      Effect.provide(Logger.layer([logger])),
      Effect.ensuring(
        Effect.sync(() => methods.forEach((method, i) => (console[method] = original[i] as typeof console.log)))
      ),
      Effect.map((value) => {
        for (const span of spans) {
          show([span.name, [...span.attributes], span.events, span.status])
          if (span.status._tag === "Ended" && Exit.isFailure(span.status.exit)) {
            seen.push(Cause.pretty(span.status.exit.cause))
          }
        }
        return [value, seen] as const
      })
    )
  })

/** The client itself can be shown without its key. */
export const shown = (context: Context.Context<never>): string =>
  inspect(context, { depth: 20, showHidden: true }) + JSON.stringify(context)
