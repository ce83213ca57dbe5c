/** Responses that were cut off: asked for anew, gone on with, or picked up where the provider has them. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted, Schema, Scope, Stream } from "effect"
import { EmbeddingModel, LanguageModel, type Prompt, type Response } from "effect/ai"
import { TestClock } from "effect/testing"
import { Agent, MiniAgents, type Transcript } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"
import { Interleaving } from "miniagents/testing"
import * as Loopback from "../llm/Loopback.ts"

const writer = LlmAgent.make("Writer")

/** A model that says some words, 60 ms after one another, and the last of them never. */
const model = (says: (asked: ReadonlyArray<string>) => ReadonlyArray<string>, asked: Array<ReadonlyArray<string>>) =>
  Layer.effect(
    LanguageModel.LanguageModel,
    LanguageModel.make({
      generateText: () => Effect.die(new Error("it is read as it comes")),
      streamText: ({ prompt }) => {
        const texts = prompt.content.map(({ content, role }) => {
          const parts = typeof content === "string" ? [] : (content as ReadonlyArray<Prompt.TextPart>)
          return `${role}: ${typeof content === "string" ? content : parts.map(({ text }) => text).join("")}`
        })
        asked.push(texts)
        const words = says(texts)
        const parts: ReadonlyArray<Response.StreamPartEncoded> = [
          { type: "text-start", id: String(asked.length) },
          ...words.map((delta) => ({ type: "text-delta", id: String(asked.length), delta }) as const)
        ]
        const end: ReadonlyArray<Response.StreamPartEncoded> = [
          { type: "text-end", id: String(asked.length) },
          {
            ...{ type: "finish", reason: "stop", response: undefined },
            usage: {
              inputTokens: { total: 1, uncached: undefined, cacheRead: undefined, cacheWrite: undefined },
              outputTokens: { total: 1, text: undefined, reasoning: undefined }
            }
          }
        ]
        const spoken = Stream.tap(Stream.rechunk(Stream.fromIterable(parts), 1), () => Effect.sleep("60 millis"))
        return Stream.concat(spoken, words.includes("…") ? Stream.never : Stream.fromIterable(end))
      }
    })
  )

/** What a reader has, word by word; what is taken back shows. */
const shown = (events: ReadonlyArray<Transcript.Event>) =>
  events.flatMap((event) => (event._tag === "text" ? [event.text] : event._tag === "reset" ? [`<${event.to}`] : []))

interface Case {
  readonly partial: "continue" | "restart"
  readonly again: ReadonlyArray<string>
  readonly asked: ReadonlyArray<string>
  readonly events: string
}

const cases: ReadonlyArray<Case> = [
  { partial: "restart", again: ["Once ", "upon ", "a time."], asked: ["user: x"], events: "Once |upon |…|<10|a time." },
  { partial: "restart", again: ["One ", "day."], asked: ["user: x"], events: "Once |upon |…|<2|e |day." },
  {
    ...{ partial: "continue", again: ["a ", "time."] },
    ...{ asked: ["user: x", "assistant: Once upon …"], events: "Once |upon |…|a |time." }
  }
]

describe("a response that was cut off", () => {
  it.effect.each(cases)(
    "with `partial: $partial`, and then $again: its reader has $events",
    ({ again, asked, events, partial }) =>
      Effect.gen(function* () {
        const requests: Array<ReadonlyArray<string>> = []
        const store = yield* Layer.build(Store.layerMemory)
        const words = () => (requests.length === 1 ? ["Once ", "upon ", "…"] : again)
        const app = Layer.mergeAll(
          Layer.orDie(Layer.provide(DurableRuns.layer({ partial }), Layer.succeedContext(store))),
          MiniAgents.layer(),
          Durable.model(model(words, requests))
        )
        const read: Array<Transcript.Event> = []
        const inLife = Effect.gen(function* () {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(app, scope)
          yield* Effect.provideContext(
            Effect.gen(function* () {
              yield* Runs.start(writer, "x", {}, { id: "r" })
              const note = (event: Transcript.Event) => Effect.sync(() => void read.push(event))
              // a reader that goes on where it was
              const from = read.findLast(({ _tag }) => _tag === "text") as { readonly to: number } | undefined
              const position = from === undefined ? {} : { from: `0.${from.to}` as Transcript.Position }
              const reader = yield* Effect.forkChild(Stream.runForEach(Runs.read("r", position), note))
              for (let i = 0; i < 10; i++) yield* Effect.andThen(TestClock.adjust("60 millis"), Interleaving.idle)
              yield* Fiber.interrupt(reader)
            }),
            context
          )
          yield* Scope.close(scope, Exit.void)
        })
        yield* inLife
        yield* inLife
        assert.deepStrictEqual(requests, [["user: x"], asked])
        assert.strictEqual(shown(read).join("|"), events)
        assert.strictEqual(read.at(-1)?._tag, "end")
      }).pipe(Interleaving.withSeed(1), Effect.scoped)
  )

  it.live("is read to its end at a provider that goes on with it, from another process, and not asked for again", () =>
    Effect.gen(function* () {
      const event = (number: number, type: string, more: object) =>
        `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, ...more })}\n\n`
      const about = (status: string) => ({
        id: "resp-1",
        object: "response",
        model: "m",
        background: true,
        status,
        output: []
      })
      const item = { type: "message", id: "msg-1", role: "assistant", status: "in_progress", content: [] }
      const delta = (number: number, delta: string) =>
        event(number, "response.output_text.delta", { output_index: 0, item_id: "msg-1", content_index: 0, delta })
      const all = [
        event(0, "response.created", { response: about("in_progress") }),
        event(1, "response.output_item.added", { output_index: 0, item }),
        delta(2, "Once "),
        delta(3, "upon a time."),
        event(4, "response.output_item.done", { output_index: 0, item: { ...item, status: "completed" } }),
        event(5, "response.completed", { response: about("completed") })
      ]
      const server = yield* Loopback.serve((response, { method }) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        if (method === "GET") return void response.end(all.join(""))
        // the connection is cut by who dies
        for (const one of all.slice(0, 3)) response.write(one)
      })
      const store = yield* Layer.build(Store.layerMemory)
      const settings = { apiKey: Redacted.make("none"), baseUrl: `${server.url}/v1` }
      const openAi = OpenAi.model("m", { api: "responses", background: true }).pipe(
        Durable.model,
        Layer.provide(OpenAi.layer(settings))
      )
      const app = Layer.mergeAll(
        Layer.orDie(Layer.provide(DurableRuns.layer({ partial: "continue" }), Layer.succeedContext(store))),
        MiniAgents.layer(),
        openAi
      )
      const inLife = <A, E>(program: Effect.Effect<A, E, Runs.Runs>) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(app, scope)
          yield* Effect.provideContext(Runs.start(writer, "x", {}, { id: "r" }), context)
          const value = yield* Effect.provideContext(program, context)
          yield* Scope.close(scope, Exit.void)
          return value
        })
      const read = (isEnough: (event: Transcript.Event) => boolean) =>
        Stream.runCollect(Stream.takeUntil(Runs.read("r"), isEnough))
      const first = yield* inLife(read(({ _tag }) => _tag === "text"))
      assert.deepStrictEqual(shown(first), ["Once "])
      const second = yield* inLife(read(({ _tag }) => _tag === "end"))
      assert.deepStrictEqual(shown(second), ["Once ", "upon a time."])
      assert.deepStrictEqual(
        server.received.map(({ method, url }) => `${method} ${url}`),
        ["POST /v1/responses", "GET /v1/responses/resp-1?stream=true"]
      )
    }).pipe(Effect.scoped)
  )
})

describe("embeddings and divergence", () => {
  it.effect("embeddings are kept: asked once, in whatever life", () =>
    Effect.gen(function* () {
      let asked = 0
      const embeddings = Layer.effect(
        EmbeddingModel.EmbeddingModel,
        EmbeddingModel.make({
          embedMany: ({ inputs }) =>
            Effect.sync(() => {
              asked += inputs.length
              return { results: inputs.map((input) => [input.length, 1]), usage: { inputTokens: inputs.length } }
            })
        })
      )
      const embedding = Agent.make(
        "Embedding",
        Effect.fnUntraced(function* (ctx) {
          const { embedMany } = yield* EmbeddingModel.EmbeddingModel
          const { embeddings } = yield* embedMany(["one", "three"])
          yield* Durable.wait("go on", Schema.Null)
          yield* ctx.reply(JSON.stringify(embeddings.map(({ vector }) => vector)))
        })
      )
      const store = yield* Layer.build(Store.layerMemory)
      const app = Layer.mergeAll(
        Layer.orDie(Layer.provide(DurableRuns.layer(), Layer.succeedContext(store))),
        MiniAgents.layer(),
        Durable.model(embeddings)
      )
      const inLife = <A, E>(program: Effect.Effect<A, E, Runs.Runs>) =>
        Effect.scoped(
          Effect.provide(
            Effect.andThen(Effect.andThen(Runs.start(embedding, [], {}, { id: "r" }), Interleaving.idle), program),
            app
          )
        )
      yield* inLife(Effect.void)
      yield* inLife(Effect.void)
      const events = yield* inLife(Effect.andThen(Runs.signal("r", "go on", null), Stream.runCollect(Runs.read("r"))))
      assert.deepStrictEqual(shown(events), ["[[3,1],[5,1]]"])
      assert.strictEqual(asked, 2)
    }).pipe(Interleaving.withSeed(1), Effect.scoped)
  )

  it.effect("a message that was given out and comes out different ends the run, and names the call that made it", () =>
    Effect.gen(function* () {
      const inner = (text: string) => Agent.make("Inner", (ctx) => ctx.reply(text))
      const outer = (text: string) =>
        Agent.make(
          "Outer",
          Effect.fnUntraced(function* (ctx) {
            yield* ctx.reply("same")
            yield* ctx.reply(yield* inner(text).trigger())
            return yield* Effect.never
          })
        )
      const store = yield* Layer.build(Store.layerMemory)
      const app = Layer.mergeAll(
        Layer.orDie(Layer.provide(DurableRuns.layer(), Layer.succeedContext(store))),
        MiniAgents.layer()
      )
      const inLife = <A, E>(text: string, program: Effect.Effect<A, E, Runs.Runs>) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const context = yield* Layer.buildWithScope(app, scope)
          const start = Effect.andThen(Runs.start(outer(text), [], {}, { id: "r" }), Interleaving.idle)
          const value = yield* Effect.provideContext(Effect.andThen(start, program), context)
          yield* Scope.close(scope, Exit.void)
          return value
        })
      yield* inLife("before", Effect.void)
      const events = yield* inLife("after", Stream.runCollect(Runs.read("r")))
      assert.deepStrictEqual(shown(events), ["same", "before"])
      const failed = events.at(-1) as Extract<Transcript.Event, { _tag: "failed" }>
      assert.strictEqual(failed.failure.error, "Diverged")
      assert.include(failed.failure.reason, "message 1, by `Outer/0:Inner`")
      const [run] = yield* inLife("after", Runs.list)
      assert.strictEqual(run?.status, "failed")
    }).pipe(Interleaving.withSeed(1), Effect.scoped)
  )
})
