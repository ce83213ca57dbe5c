/**
 * What servers really say: the same response in the dialects of a protocol. A table has what has been seen, with the
 * parts that must come of it; a property has all habits at once.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import type { Layer, Stream } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import type { Prompt, Response } from "effect/ai"
import type { Connection } from "miniagents/llm"
import * as Loopback from "./Loopback.ts"
import { collect, mark } from "./Wire.contract.ts"

/** What comes of a response, in the order in which it comes. */
export type Heard =
  | { readonly text: string }
  | { readonly reasoning: string }
  | { readonly call: string; readonly with: unknown }
  | { readonly finish: string }
  | { readonly error: string; readonly saying: string }

/** A dialect: what a server sends, and what must come of it. */
export interface Dialect {
  readonly name: string
  readonly says: ReadonlyArray<string>
  readonly heard: ReadonlyArray<Heard>
  /** The pieces of the parameters of all calls, joined. */
  readonly pieces?: string
  /** What the last part tells of tokens. */
  readonly usage?: { readonly [name: string]: number }
  /** What stands in the metadata of the last part. */
  readonly finish?: { readonly [name: string]: unknown }
  readonly contentType?: string
}

/** A response, whatever the dialect. */
export const Said = Schema.Struct({
  reasoning: Schema.Array(Schema.Literals(["h", "m ", "é", "👩‍🚀", '"\\'])),
  text: Schema.Array(Schema.Literals(["a", " b", "日本", "👩‍🚀", '"\n'])),
  calls: Schema.Array(Schema.Literals(["Oslo", "Köln", "👩‍🚀", '"}{'])).check(Schema.isMaxLength(3))
})

export type Said = typeof Said.Type

export interface Provider<Habits> {
  readonly name: string
  readonly path: string
  readonly layer: (options: Connection.Options) => Layer.Layer<LanguageModel.LanguageModel>
  readonly table: ReadonlyArray<Dialect>
  readonly habits: Schema.Codec<Habits>
  /** A response in a dialect that has these habits; nothing where they do not go together. */
  readonly speak: (said: Said, habits: Habits) => ReadonlyArray<string> | undefined
  /** A response with a call whose id is `call_0`, as some servers number them anew with every response. */
  readonly numbered: ReadonlyArray<string>
  /** A thought, a text and a call, each with what the server wants back; and how they look in the next request. */
  readonly back: ReadonlyArray<{
    readonly name: string
    readonly says: ReadonlyArray<string>
    readonly message: unknown
    /** The same where another server said it. */
    readonly elsewhere: unknown
  }>
}

const Weather = Tool.make("weather", { parameters: Schema.Struct({ city: Schema.String }), success: Schema.String })
const Watch = Tool.make("clock", { success: Schema.String })
const toolkit = Toolkit.make(Weather, Watch)
const handlers = toolkit.toLayer({ weather: () => Effect.succeed(""), clock: () => Effect.succeed("") })

export const suite = <Habits>(provider: Provider<Habits>): void => {
  const at = (server: Loopback.Loopback) =>
    provider.layer({ apiKey: Redacted.make("sk-test"), baseUrl: server.url + provider.path })
  const ask = (server: Loopback.Loopback, prompt: Prompt.RawInput = "Hi") =>
    collect(
      LanguageModel.streamText({
        prompt,
        toolkit,
        disableToolCallResolution: true,
        toolCallValidation: "deferred"
      }) as Stream.Stream<Response.AnyPart, never, LanguageModel.LanguageModel>
    ).pipe(Effect.provide([at(server), handlers]))

  describe("a dialect", () => {
    it.effect.each(provider.table.map((row) => [row.name, row] as const))("%s", ([, row]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve((response) => {
          response.writeHead(200, { "content-type": row.contentType ?? "text/event-stream" })
          // each piece leaves when the one before it has left
          const next = (index: number): void => {
            const piece = row.says[index]
            if (piece === undefined) response.end()
            else response.write(piece, () => setImmediate(() => next(index + 1)))
          }
          next(0)
        })
        const { error, parts } = yield* ask(server)
        const heard = heardIn(parts)
        const wrong = row.heard.at(-1)
        if (wrong !== undefined && "error" in wrong) {
          assert.deepStrictEqual(heard, row.heard.slice(0, -1))
          assert.strictEqual(error?.reason._tag, wrong.error, error?.message)
          assert.include(`${error?.message} ${JSON.stringify(error)}`, wrong.saying)
          return
        }
        assert.isUndefined(error, error?.message)
        assert.deepStrictEqual(heard, row.heard)
        if (row.pieces !== undefined) {
          const pieces = parts.flatMap((part) => (part.type === "tool-params-delta" ? [part.delta] : []))
          assert.strictEqual(pieces.join(""), row.pieces)
        }
        const last = parts.at(-1) as Response.FinishPart
        if (row.usage !== undefined) {
          assert.deepInclude({ ...last.usage.inputTokens, ...outputOf(last) }, row.usage)
        }
        if (row.finish !== undefined) assert.deepInclude(last.metadata[provider.name] as object, row.finish)
      })
    )

    it.effect.prop(
      "says the same as any other, whatever its habits",
      { said: Said, habits: provider.habits },
      ({ habits, said }) =>
        Effect.gen(function* () {
          const says = provider.speak(said, habits)
          if (says === undefined) return
          const server = yield* Loopback.serve(Loopback.stream(says))
          const { error, parts } = yield* ask(server)
          assert.isUndefined(error, error?.message)
          assert.deepStrictEqual(heardIn(parts).slice(0, -1), expected(said))
          const ids = parts.flatMap((part) => (part.type === "tool-call" ? [part.id] : []))
          assert.strictEqual(new Set(ids).size, ids.length)
          if (ids.length > 0) assert.deepInclude(heardIn(parts).at(-1), { finish: "tool-calls" })
        }).pipe(Effect.scoped)
    )
  })

  describe("what a server wants back", () => {
    it.effect.each(provider.back.map((row) => [row.name, row] as const))("%s goes back to it alone", ([, row]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(row.says))
        const { error, parts } = yield* ask(server)
        assert.isUndefined(error, error?.message)
        const prompt = conversation(parts)
        yield* ask(server, prompt)
        const other = yield* Loopback.serve(Loopback.stream(row.says))
        yield* ask(other, prompt)
        assert.notDeepEqual(mark(server), mark(other))
        const sent = ({ received }: Loopback.Loopback) =>
          (received.at(-1)?.body as { readonly messages: ReadonlyArray<unknown> } | undefined)?.messages[1]
        assert.deepStrictEqual(sent(server), row.message)
        assert.deepStrictEqual(sent(other), row.elsewhere)
      })
    )

    it.effect("is under an id of its own, when calls of two turns have the same", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(provider.numbered))
        const first = yield* ask(server)
        const second = yield* ask(server, conversation(first.parts))
        const ids = [first, second].flatMap(({ parts }) =>
          parts.flatMap((part) => (part.type === "tool-call" ? [part.id] : []))
        )
        assert.strictEqual(new Set(ids).size, 2)
        for (const id of ids) assert.match(id, /^[a-zA-Z0-9_-]+$/)
      })
    )
  })
}

/** A conversation in which a response was said, with results for its calls. */
const conversation = (parts: ReadonlyArray<Response.AnyPart>): Prompt.RawInput => {
  const content = heardWith(parts)
  const results = parts.flatMap((part) =>
    part.type === "tool-call"
      ? [{ type: "tool-result" as const, id: part.id, name: part.name, isFailure: false, result: "rain" }]
      : []
  )
  return [
    { role: "user", content: "Hi" },
    { role: "assistant", content },
    ...(results.length > 0 ? [{ role: "tool" as const, content: results }] : []),
    { role: "user", content: "And now?" }
  ]
}

const heardWith = (parts: ReadonlyArray<Response.AnyPart>): Array<Prompt.AssistantMessagePartEncoded> => {
  const content: Array<Prompt.AssistantMessagePartEncoded> = []
  let text = ""
  for (const part of parts) {
    if ("delta" in part && part.type !== "tool-params-delta") text += part.delta
    const options = part.metadata as Prompt.ProviderOptions
    if (part.type === "text-end") content.push({ type: "text", text, options })
    if (part.type === "reasoning-end") content.push({ type: "reasoning", text, options })
    if (part.type === "tool-call") {
      content.push({ type: "tool-call", id: part.id, name: part.name, params: part.params, options })
    }
    if (part.type.endsWith("-end")) text = ""
  }
  return content
}

const expected = ({ calls, reasoning, text }: Said): ReadonlyArray<Heard> => [
  ...(reasoning.length > 0 ? [{ reasoning: reasoning.join("") }] : []),
  ...(text.length > 0 ? [{ text: text.join("") }] : []),
  ...calls.map((city) => ({ call: "weather", with: { city } }))
]

/** The blocks of a response, which must each begin once and end once. */
const heardIn = (parts: ReadonlyArray<Response.AnyPart>): ReadonlyArray<Heard> => {
  const heard: Array<Heard> = []
  const open = new Map<string, string>()
  for (const part of parts) {
    if (part.type === "text-start" || part.type === "reasoning-start") {
      assert.strictEqual(open.size, 0, "a block is open")
      open.set(part.id, "")
    } else if (part.type === "text-delta" || part.type === "reasoning-delta") {
      assert.isTrue(part.delta.isWellFormed() && part.delta !== "")
      open.set(part.id, (open.get(part.id) ?? "not open") + part.delta)
    } else if (part.type === "text-end" || part.type === "reasoning-end") {
      const said = open.get(part.id) ?? "not open"
      heard.push(part.type === "text-end" ? { text: said } : { reasoning: said })
      open.delete(part.id)
    } else if (part.type === "tool-call") heard.push({ call: part.name, with: part.params })
    else if (part.type === "finish") heard.push({ finish: part.reason })
  }
  // what broke off has been heard as well
  for (const said of open.values()) heard.push({ text: said })
  return heard
}

const outputOf = ({ usage }: Response.FinishPart) => ({
  output: usage.outputTokens.total,
  thought: usage.outputTokens.reasoning
})
