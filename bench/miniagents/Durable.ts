/** S18: what it costs that runs are kept. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, Schema, Scope, Stream, Exit } from "effect"
import { LanguageModel, type Response } from "effect/ai"
import { Agent, MiniAgents } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { LlmAgent } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { SqliteClient } from "miniagents/sqlite"
import { Store } from "miniagents/store"
import * as Postgres from "../../test/history/Postgres.ts"
import type { Case } from "../Case.ts"
import * as Temporary from "../Temporary.ts"
import * as Tokens from "../Tokens.ts"

/** How many runs go on at once. */
const AT_ONCE = 40

const parts: ReadonlyArray<Response.StreamPartEncoded> = [
  { type: "text-start", id: "1" },
  ...Tokens.take(100).map((delta) => ({ type: "text-delta", id: "1", delta }) as const),
  { type: "text-end", id: "1" },
  {
    ...{ type: "finish", reason: "stop", response: undefined },
    usage: {
      inputTokens: { total: 10, uncached: undefined, cacheRead: undefined, cacheWrite: undefined },
      outputTokens: { total: 100, text: undefined, reasoning: undefined }
    }
  }
]

/** Says 100 tokens, five at a time. */
const model = Layer.effect(
  LanguageModel.LanguageModel,
  LanguageModel.make({
    generateText: () => Effect.die(new Error("it is read as it comes")),
    streamText: () => Stream.tap(Stream.rechunk(Stream.fromIterable(parts), 5), () => Effect.yieldNow)
  })
)

const writer = LlmAgent.make("Writer")

/** Asks so often, one after the other, and waits. */
const asking = Agent.make(
  "Asking",
  { parameters: { calls: Schema.Int, waits: Schema.Boolean } },
  Effect.fnUntraced(function* (ctx) {
    for (let i = 0; i < ctx.parameters.calls; i++) {
      const replies = yield* writer.trigger(`Question ${i}`)
      yield* ctx.reply(replies)
      yield* replies.messages
    }
    if (ctx.parameters.waits) yield* Durable.wait("the end", Schema.Null)
  })
)

type Where = "memory" | "SQLite" | "Postgres"

let postgres: Promise<Postgres.Server> | undefined
let stores = 0

/** A new store, which can be opened again and again. */
const storeIn = async (where: Where) => {
  if (where === "SQLite") {
    const client = SqliteClient.layer({ filename: `${Temporary.folder(`durable-${++stores}`)}/runs.db` })
    return Layer.provide(Store.layer(), client)
  }
  postgres ??= Postgres.start().then((server) => {
    process.on("exit", () => void server.stop())
    return server
  })
  const { config } = await postgres
  const { url, ...rest } = config
  const client = PgClient.layer({ ...rest, ...(url !== undefined && { url: Redacted.make(Redacted.value(url)) }) })
  return Layer.provide(Store.layer({ tablePrefix: `bench${process.pid}_${++stores}_` }), client)
}

const appOf = async (where: Where) => {
  const runs = where === "memory" ? Runs.layerMemory() : Layer.provide(DurableRuns.layer(), await storeIn(where))
  return Layer.mergeAll(runs, MiniAgents.layer(), where === "memory" ? model : Durable.model(model))
}

const check = (id: string, calls: number) =>
  Effect.map(Stream.runCollect(Runs.read(id)), (events) => {
    let texts = 0
    for (const event of events) if (event._tag === "text") texts += event.text.length
    if (texts !== calls * Tokens.take(100).join("").length) throw new Error(`${texts} characters`)
  })

const now = Effect.sync(() => performance.now())
const median = (all: ReadonlyArray<number>): number => all.toSorted((a, b) => a - b)[all.length >> 1]!

/** From the start of a run until its first reader has a token, one run after the other. */
const firstTokens = Effect.gen(function* () {
  const all: Array<number> = []
  for (let i = 0; i < 30; i++) {
    const start = yield* now
    yield* Runs.start(asking, "x", { calls: 1, waits: false }, { id: `first ${i}` })
    yield* Stream.runHead(Stream.filter(Runs.read(`first ${i}`), ({ _tag }) => _tag === "text"))
    all.push((yield* now) - start)
    yield* Stream.runDrain(Runs.read(`first ${i}`))
  }
  return median(all)
})

const calls =
  (where: Where): Case =>
  async (size) => {
    const app = await appOf(where)
    const each = Math.ceil(size / AT_ONCE)
    const program = Effect.gen(function* () {
      const start = yield* now
      const ids = Array.from({ length: AT_ONCE }, (_, i) => `run ${i}`)
      yield* Effect.forEach(ids, (id) => Runs.start(asking, "x", { calls: each, waits: false }, { id }))
      yield* Effect.forEach(ids, (id) => check(id, each), { concurrency: "unbounded" })
      const ms = (yield* now) - start
      return { ms, facts: { "first token ms": yield* firstTokens } }
    })
    return Effect.runPromise(Effect.scoped(Effect.provide(program, app)))
  }

export const inMemory: Case = calls("memory")
export const inSqlite: Case = calls("SQLite")
export const inPostgres: Case = calls("Postgres")

const waiting = (id: string) =>
  Effect.repeat(Effect.andThen(Effect.sleep(10), Runs.get(id)), { until: ({ waiting }) => waiting.length > 0 })

/** The same calls again, in a process that takes the runs up. */
const again =
  (where: Where): Case =>
  async (size) => {
    const app = await appOf(where)
    const each = Math.ceil(size / AT_ONCE)
    const ids = Array.from({ length: AT_ONCE }, (_, i) => `run ${i}`)
    const inLife = (
      program: Effect.Effect<unknown, unknown, Runs.Runs | MiniAgents.MiniAgents | LanguageModel.LanguageModel>
    ) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(app, scope)
        const start = yield* now
        yield* Effect.provideContext(program, context)
        const ms = (yield* now) - start
        yield* Scope.close(scope, Exit.void)
        return ms
      })
    const start = (id: string, calls: number) => Runs.start(asking, "x", { calls, waits: true }, { id })
    const all = Effect.andThen(
      Effect.forEach(ids, (id) => start(id, each)),
      Effect.forEach(ids, waiting, { concurrency: "unbounded" })
    )
    const long = (calls: number) => Effect.andThen(start("long", calls), waiting("long"))
    const first = Effect.andThen(
      start("long", 1000),
      Effect.flatMap(Runs.start(asking, "x", { calls: 1000, waits: true }, { id: "long" }), ({ replies }) =>
        Effect.flatMap(replies, (replies) => Stream.runHead(Stream.flatMap(replies, (promise) => promise)))
      )
    )
    return Effect.runPromise(
      Effect.gen(function* () {
        yield* inLife(all)
        const ms = yield* inLife(all)
        yield* inLife(long(1000))
        const times = [yield* inLife(first), yield* inLife(first), yield* inLife(first)]
        return { ms, facts: { "first replayed token ms, of 1,000 calls": median(times) } }
      })
    )
  }

export const againInSqlite: Case = again("SQLite")
export const againInPostgres: Case = again("Postgres")

const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))

/** Calls an agent so often that asks nothing of the outside. */
const plain = Agent.make(
  "Plain",
  { parameters: { calls: Schema.Int } },
  Effect.fnUntraced(function* (ctx) {
    let characters = 0
    for (let i = 0; i < ctx.parameters.calls; i++) {
      const replies = yield* echo.trigger("hello")
      characters += (yield* replies.text).length
    }
    yield* ctx.reply(`${characters}`)
  })
)

const plainCalls =
  (where: Where): Case =>
  async (size) => {
    const app = await appOf(where)
    const program = Effect.gen(function* () {
      const start = yield* now
      const run = yield* Runs.start(plain, "x", { calls: size }, { id: "r" })
      const text = yield* Effect.flatMap(run.replies, (replies) => replies.text)
      if (text !== `${5 * size}`) throw new Error(`${text} characters`)
      return { ms: (yield* now) - start }
    })
    return Effect.runPromise(Effect.scoped(Effect.provide(program, app)))
  }

export const plainInMemory: Case = plainCalls("memory")
export const plainInSqlite: Case = plainCalls("SQLite")
