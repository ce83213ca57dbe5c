/**
 * A program that the tests of the store run: it appends numbered messages to a conversation, forks and rewinds others and
 * collects, until it is killed or has done enough. `collect` as a name does nothing but to collect. The database is a file
 * of SQLite, or a server of Postgres as JSON.
 */

import { PgClient } from "@effect/sql-pg"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Effect, Layer, Redacted } from "effect"
import { Statement } from "effect/sql"
import { Message } from "miniagents"
import { SqliteClient } from "miniagents/sqlite"
import { Conversation, Store } from "miniagents/store"

const [filename = "", who = "", first = "0", end = "Infinity", statements = "Infinity", tablePrefix] =
  process.argv.slice(2)

let left = Number(statements)
/** Kills this process before a statement. */
const deadly: Statement.Transformer = (statement) =>
  Effect.sync(() => {
    if (left-- === 0) process.kill(process.pid, "SIGKILL")
    return statement
  })

/** What was put before the grace period: the same texts that are appended now. */
const old = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const earlier = { ...clock, currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now - 7_200_000) }
  const messages = Array.from({ length: Number(end) }, (_, i) =>
    ["a", "b"].map((who) => Message.user(`${who} ${i}`))
  ).flat()
  yield* Effect.provideService(Store.put(messages), Clock.Clock, Object.assign(Object.create(clock), earlier))
})

const write = (number: number) =>
  Effect.gen(function* () {
    yield* Conversation.append("all", [Message.user(`${who} ${number}`)])
    // whoever reads this knows that the message is kept
    yield* Effect.sync(() => process.stdout.write(`${number}\n`))
    const fork = `${who} ${number}`
    yield* Effect.ignore(Conversation.fork("all", fork))
    yield* Conversation.rewind(fork, Math.floor(number / 2))
    yield* Conversation.append(fork, [Message.user(`${who} ${number + 1}`)])
    yield* Conversation.undo(fork)
    if (number % 3 === 0) yield* Conversation.delete(fork)
    if (number % 10 === 5) yield* Store.collect({ grace: "1 hour" })
  })

const collect = Effect.gen(function* () {
  yield* old
  yield* Store.collect({ grace: "1 hour" })
  yield* Effect.sync(() => process.stdout.write("collected\n"))
})

const program = Effect.gen(function* () {
  for (let number = Number(first); number < Number(end); number++) yield* who === "collect" ? collect : write(number)
})

const postgres = (json: string) => {
  const { url, ...config } = JSON.parse(json) as { readonly url?: string }
  return PgClient.layer({ ...config, ...(url !== undefined && { url: Redacted.make(url) }), maxConnections: 2 })
}

if (filename !== "") {
  const client = filename.startsWith("{") ? postgres(filename) : SqliteClient.layer({ filename, timeout: "60 seconds" })
  const layer = Layer.provide(Store.layer(tablePrefix === undefined ? {} : { tablePrefix }), client)
  NodeRuntime.runMain(program.pipe(Effect.provide(layer), Effect.provideService(Statement.CurrentTransformer, deadly)))
}
