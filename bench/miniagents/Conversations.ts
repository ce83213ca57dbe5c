/** S14: conversations in a store on SQLite. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import { Agent, Message, MiniAgents } from "miniagents"
import { SqliteClient } from "miniagents/sqlite"
import { Conversation, Store } from "miniagents/store"
import type { Case } from "../Case.ts"
import { turn } from "../floors/Rows.ts"
import * as Temporary from "../Temporary.ts"

const elapsed = Effect.sync(() => performance.now())
const took = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const start = yield* elapsed
    const value = yield* effect
    return [value, (yield* elapsed) - start] as const
  })
/** The best of a few: the first pays for the compiler. */
const best = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(
    Effect.replicateEffect(took(effect), 5),
    (all) => [all[0]![0], Math.min(...all.map(([, ms]) => ms))] as const
  )

const inFolder = <A, E>(
  name: string,
  program: (bytes: Effect.Effect<number, SqlError.SqlError>) => Effect.Effect<A, E, Store.Store>
): Promise<A> => {
  const filename = `${Temporary.folder(name)}/store.db`
  const run = Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    // all of it in the one file
    const bytes = Effect.map(sql`PRAGMA wal_checkpoint(TRUNCATE)`, () => fs.statSync(filename).size)
    return yield* program(bytes)
  })
  const layer = Layer.provideMerge(Store.layer(), SqliteClient.layer({ filename }))
  return Effect.runPromise(Effect.provide(run, layer))
}

const messagesOf = (i: number): ReadonlyArray<Message.Message> => {
  const [question, answer] = turn(i)
  return [Message.user(question), Message.assistant(answer)]
}

const check = (messages: ReadonlyArray<Message.Message>, size: number) => {
  if (messages.length !== 2 * size) throw new Error(`${messages.length} messages instead of ${2 * size}`)
  for (let i = 0; i < size; i += 97) {
    const [question] = turn(i)
    if (String(messages[2 * i]) !== question) throw new Error(`message ${2 * i} is another one`)
  }
}

/** Appends turns, then reads all of them and compares two forks. */
export const appended: Case = (size) =>
  inFolder("conversations", (bytes) =>
    Effect.gen(function* () {
      const append = (i: number) => Conversation.append("one", messagesOf(i))
      const [, ms] = yield* took(
        Effect.gen(function* () {
          for (let i = 0; i < size; i++) yield* append(i)
        })
      )
      const [messages, read] = yield* best(Conversation.messages("one", { last: 4000 }))
      if (size <= 2000) check(messages, size)
      for (const at of [2 * size - 20, 2 * size - 10]) {
        yield* Conversation.fork("one", `fork ${at}`, { at })
        yield* Conversation.append(`fork ${at}`, [Message.user("another question")])
      }
      const [diff, compared] = yield* best(Store.diff(`fork ${2 * size - 20}`, `fork ${2 * size - 10}`))
      if (diff.shared !== 2 * size - 20 || diff.left.length !== 1 || diff.right.length !== 11)
        throw new Error("bad diff")
      const facts = {
        "turns/s": (size / ms) * 1000,
        "ms to read 4,000 messages": read,
        "ms to compare two forks": compared,
        "bytes a message": (yield* bytes) / (2 * size)
      }
      return { ms, facts }
    })
  )

const answer = Agent.make(
  "Answer",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(messagesOf((yield* ctx.messages.messages).length >> 1)[1]!)
  })
)

/** The same turns by an agent that is sent the whole conversation, with a record of every call and reply in the store. */
export const recorded: Case = (size) =>
  inFolder("records", (bytes) =>
    Effect.gen(function* () {
      const { put } = yield* Store.Store
      const said: Array<Message.Message> = []
      const [, ms] = yield* took(
        Effect.gen(function* () {
          for (let i = 0; i < size; i++) {
            said.push(messagesOf(i)[0]!)
            const replies = yield* answer.trigger(said)
            said.push(Option.getOrThrow(Option.fromNullishOr((yield* replies.messages)[0])))
            yield* Conversation.append("one", said.slice(-2))
          }
        }).pipe(Effect.provide(MiniAgents.layer({ onPersistMessages: put })))
      )
      check(yield* Conversation.messages("one"), size)
      const { objects } = yield* Store.verify
      if (objects !== 4 * size) throw new Error(`${objects} objects instead of ${4 * size}`)
      return { ms, facts: { "turns/s": (size / ms) * 1000, "bytes a message": (yield* bytes) / (2 * size) } }
    })
  )
