/** What the history in a database does, whatever the database: run `suite` with a way to one. */

import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Latch, Layer, Schema, type Scope, Stream } from "effect"
import { SqlClient, Statement } from "effect/sql"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"
import { History, SqlHistory } from "miniagents/history"
import { LlmMessage } from "miniagents/llm"
import { Conversation, Store } from "miniagents/store"
import * as Contract from "./History.contract.ts"

/** An empty place in a database. */
export class Database extends Context.Service<
  Database,
  {
    /** Another connection to it. */
    readonly connect: Effect.Effect<SqlClient.SqlClient, never, Scope.Scope>
    readonly tablePrefix: string
  }
>()("test/Database") {}

class Note extends Message.Class<Note>()("Note", { title: Schema.String, on: Message.Text }) {}
class Folder extends Message.Class<Folder>()("Folder", {
  pinned: Schema.optionalKey(Note),
  notes: Schema.Array(Message.Any),
  shelf: Schema.Struct({ mixed: Schema.Array(Schema.Union([Schema.String, Message.Any])), at: Schema.DateTimeUtc })
}) {}
const classes = [Note, Folder]

const clientLayer = Layer.effect(
  SqlClient.SqlClient,
  Effect.flatMap(Database, ({ connect }) => connect)
)
const open = (options: Partial<SqlHistory.Options> = {}) =>
  Effect.flatMap(Database, ({ tablePrefix }) =>
    SqlHistory.makeHistory({ conversation: "one", tablePrefix, ...options })
  )
const append = (history: SqlHistory.SqlHistory, ...messages: ReadonlyArray<Message.Message>) =>
  Effect.forEach(messages, (message) => history.append(MessagePromise.of(message)), { discard: true })
const texts = (history: SqlHistory.SqlHistory) => Effect.map(history.messages, (messages) => messages.map(String))

export const suite = (name: string, database: Layer.Layer<Database>, shared: Layer.Layer<Database>): void => {
  let conversations = 0
  const begin = Effect.suspend(() => open({ conversation: `conversation ${++conversations}` }))
  Contract.suite(name, {
    make: begin,
    layer: Layer.provideMerge(clientLayer, shared),
    branching: begin,
    makeWith: (classes) => Effect.suspend(() => open({ conversation: `conversation ${++conversations}`, classes })),
    reopen: Effect.suspend(() => open({ conversation: `conversation ${conversations}` }))
  })

  const provided = Layer.provideMerge(clientLayer, database)
  const run = <A, E>(
    effect: Effect.Effect<A, E, Database | SqlClient.SqlClient | Scope.Scope | MiniAgents.MiniAgents>
  ) => Effect.scoped(effect).pipe(Effect.provide([MiniAgents.layer(), provided]))
  /** As another process has it: with a connection of its own. */
  const elsewhere = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.flatMap(Database, ({ connect }) =>
      Effect.scoped(Effect.flatMap(connect, (sql) => Effect.provideService(effect, SqlClient.SqlClient, sql)))
    )

  describe(`SqlHistory: ${name}`, () => {
    it.effect("gives back messages of the classes it is told, whatever messages they hold and wherever", () =>
      run(
        Effect.gen(function* () {
          const text = Message.text("x")
          const note = new Note({ title: "a", on: text })
          const shelf = { mixed: ["word", note, "word"], at: new Date(0) }
          const messages = [
            note,
            yield* Schema.decodeEffect(Message.codec(classes))({
              ...{ _tag: "Folder", pinned: { _tag: "Note", title: "b", on: { _tag: "Text", content: "y" } } },
              ...{ notes: [], shelf: { mixed: [{ _tag: "User", content: "z" }, "w"], at: shelf.at.toISOString() } }
            }),
            new Message.Joined({
              content: "all",
              originals: [note, text, new Message.Joined({ content: "", originals: [note] })]
            }),
            Message.data(
              { on__hash_key: "mine", on__hash_keys: ["mine"], on__hash_key_: 1, list: [{ __hash_key: "mine" }] },
              { ["__proto__"]: 1, __hash_keys: [] }
            )
          ]
          const history = yield* open({ classes })
          yield* append(history, ...messages)
          assert.deepStrictEqual([...(yield* history.messages)], messages)
          assert.deepStrictEqual(
            (yield* history.messages).map((message) => message.hashKey),
            messages.map((message) => message.hashKey)
          )
        })
      )
    )

    it.effect("who said a message is no part of what a conversation has: what others said as well is the same", () =>
      run(
        Effect.gen(function* () {
          const { tablePrefix } = yield* Database
          for (const name of ["one", "two"]) {
            const author = Agent.make(name, (ctx) => ctx.reply(["same", { the: "same" }, name, "same"]))
            const history = yield* open({ conversation: name })
            yield* (yield* History.agent("Keep", history).trigger(yield* author.trigger())).messages
          }
          yield* Effect.gen(function* () {
            const messages = yield* Conversation.messages("one")
            assert.deepStrictEqual(
              messages.map(({ _tag }) => _tag),
              ["Text", "Data", "Text", "Text"]
            )
            const { left, right, shared } = yield* Store.diff("one", "two")
            assert.deepStrictEqual([shared, left.map(String), right.map(String)], [2, ["one", "same"], ["two", "same"]])
            yield* Store.verify
          }).pipe(Effect.provide(Store.layer({ tablePrefix })))
        })
      )
    )

    it.effect(
      "refuses messages of classes that it was not told, and says which, for it could not read them again",
      () =>
        run(
          Effect.gen(function* () {
            const note = new Note({ title: "a", on: Message.text("x") })
            const history = yield* open()
            yield* append(history, Message.user("before"))
            const error = yield* Effect.flip(append(history, note))
            assert.include(
              error.message,
              `Could not append to the history \`one (main)\`: the row \`objects ${note.hashKey}\` is a \`Note\` that could not be read again: give its class`
            )
            assert.deepStrictEqual(yield* texts(history), ["before"])
          })
        )
    )

    it.effect("reads messages of classes that it was not told as what they are, and gives them on", () =>
      run(
        Effect.gen(function* () {
          const note = new Note({ title: "a", on: Message.text("x") })
          yield* append(yield* open({ classes }), note, new LlmMessage.Reasoning({ content: "hm" }))
          const messages = yield* (yield* open()).messages
          assert.deepInclude(messages[0] as object, { _tag: "Note", title: "a", on: Message.text("x") })
          assert.strictEqual(messages[0]?.hashKey, note.hashKey)
          assert.instanceOf(messages[1], LlmMessage.Reasoning)
          yield* append(yield* open({ conversation: "two" }), ...messages)
          assert.deepStrictEqual((yield* (yield* open({ conversation: "two", classes })).messages)[0], note)
        })
      )
    )

    it.effect(
      "stores each message once, however many branches and conversations have it, under the hash of what is stored",
      () =>
        run(
          Effect.gen(function* () {
            const { tablePrefix } = yield* Database
            const sql = yield* SqlClient.SqlClient
            const note = new Note({ title: "a", on: Message.text("x") })
            const one = yield* open({ classes })
            yield* append(one, note, Message.text("x"), note)
            yield* append(yield* one.fork({ at: 1 }), Message.text("x"))
            yield* append(yield* open({ conversation: "two", classes }), note)
            const rows = yield* sql<{ key: Uint8Array; body: string }>`
              SELECT key, body FROM ${sql(`${tablePrefix}objects`)} ORDER BY body`
            const text = createHash("sha256").update('{"_tag":"Text","content":"x","metadata":{}}').digest("hex")
            assert.deepStrictEqual(
              rows.map(({ body }) => body),
              [
                `{"_tag":"Note","metadata":{},"on__hash_key":"${text}","title":"a"}`,
                `{"_tag":"Text","content":"x","metadata":{}}`
              ]
            )
            for (const { body, key } of rows) {
              assert.strictEqual(Buffer.from(key).toString("hex"), createHash("sha256").update(body).digest("hex"))
            }
          })
        )
    )

    it.effect("is a conversation of a store, and so are its branches, whatever their names", () =>
      run(
        Effect.gen(function* () {
          const { tablePrefix } = yield* Database
          const store = Layer.provide(
            Store.layer({ tablePrefix }),
            Layer.succeed(SqlClient.SqlClient, yield* SqlClient.SqlClient)
          )
          const names = ["a", "a#b", "a#", "#b", "a\\#b", "\\", "main"]
          for (const conversation of names) {
            const main = yield* open({ conversation })
            yield* append(main, Message.user(`${conversation} main`))
            for (const branch of names.slice(0, -1)) {
              yield* append(yield* main.fork({ branch, at: 0 }), Message.user(`${conversation} ${branch}`))
            }
          }
          for (const conversation of names) {
            const main = yield* open({ conversation })
            assert.deepStrictEqual(
              (yield* main.branches).map(({ name }) => name),
              ["main", ...names.slice(0, -1)]
            )
            for (const branch of names) {
              assert.deepStrictEqual(yield* texts(yield* open({ conversation, branch })), [`${conversation} ${branch}`])
            }
          }
          const listed = yield* Effect.provide(Conversation.list(), store)
          assert.strictEqual(listed.length, names.length * names.length)
          yield* Effect.provide(Conversation.append("a", [Message.user("by the store")]), store)
          assert.deepStrictEqual(yield* texts(yield* open({ conversation: "a" })), ["a main", "by the store"])
        })
      )
    )

    it.effect("lists its branches, each of which can be opened again by its name", () =>
      run(
        Effect.gen(function* () {
          const main = yield* open()
          yield* append(main, Message.user("a"), Message.user("b"))
          const other = yield* main.fork({ at: 1, branch: "other" })
          yield* append(other, Message.user("c"), Message.user("d"))
          yield* main.fork()
          yield* (yield* open({ branch: "other" })).fork({ at: 2 })
          yield* (yield* open({ branch: "main@2" })).fork({ at: 2 })
          yield* main.fork()
          const expected: ReadonlyArray<SqlHistory.Branch> = [
            { name: "main", parent: undefined, forkedAt: 0, length: 2 },
            { name: "other", parent: "main", forkedAt: 1, length: 3 },
            { name: "main@2", parent: "main", forkedAt: 2, length: 2 },
            { name: "other@2", parent: "other", forkedAt: 2, length: 2 },
            { name: "main@2@2", parent: "main@2", forkedAt: 2, length: 2 },
            { name: "main@2-2", parent: "main", forkedAt: 2, length: 2 }
          ]
          assert.deepStrictEqual(
            (yield* main.branches).map((branch) => ({ ...branch })),
            expected
          )
          assert.deepStrictEqual(yield* texts(yield* open({ branch: "other@2" })), ["a", "c"])
          assert.deepStrictEqual((yield* (yield* open({ conversation: "two" })).branches).length, 1)
        })
      )
    )

    it.effect("refuses a branch that is not there, and a name that is taken, with a sentence", () =>
      run(
        Effect.gen(function* () {
          const none = yield* Effect.flip(open({ branch: "other" }))
          assert.strictEqual(
            none.message,
            "Could not open the history `one (other)`: there is no such branch; it has no messages yet, only `main` can begin it"
          )
          const main = yield* open()
          yield* main.fork({ branch: "taken" })
          const typo = yield* Effect.flip(open({ branch: "tkaen" }))
          assert.strictEqual(
            typo.message,
            "Could not open the history `one (tkaen)`: there is no such branch; it has `main`, `taken`: fork one"
          )
          const taken = yield* Effect.flip(main.fork({ branch: "taken" }))
          assert.strictEqual(
            taken.message,
            "Could not fork the history `one (main)`: it has a branch `taken` already: open that, or take another name"
          )
        })
      )
    )

    it.live("what several connections append to a branch at once is all there, in the order of each", () =>
      run(
        Effect.gen(function* () {
          const numbers = Array.from({ length: 10 }, (_, i) => `${i}`)
          yield* Effect.forEach(
            ["a", "b", "c"],
            (who) =>
              elsewhere(
                Effect.flatMap(open(), (history) =>
                  append(history, ...numbers.map((number) => Message.user(`${who}${number}`)))
                )
              ),
            { concurrency: "unbounded" }
          )
          const all = yield* texts(yield* open())
          assert.strictEqual(all.length, 30)
          for (const who of ["a", "b", "c"]) {
            assert.deepStrictEqual(
              all.filter((text) => text.startsWith(who)),
              numbers.map((number) => `${who}${number}`)
            )
          }
        })
      )
    )

    it.live("can be opened for the first time by several connections at once", () =>
      run(
        Effect.gen(function* () {
          const begin = Effect.flatMap(open(), (history) => append(history, Message.user("a")))
          const taking = Effect.provideService(elsewhere(begin), Statement.CurrentTransformer, (statement) =>
            Effect.as(Effect.yieldNow, statement)
          ) // turns, statement by statement
          yield* Effect.forEach([1, 2, 3, 4, 5], () => taking, { concurrency: "unbounded" })
          assert.strictEqual((yield* (yield* open()).messages).length, 5)
        })
      )
    )

    it.live("the same messages, with others inside, can be appended at once in any order", () =>
      run(
        Effect.gen(function* () {
          const originals = Array.from({ length: 3_000 }, (_, i) => Message.text(`${i}`))
          const joined = new Message.Joined({ content: "", originals })
          const reversed = new Message.Joined({ content: "", originals: originals.toReversed() })
          const both = yield* Latch.make()
          const branch = (conversation: string, messages: ReadonlyArray<Message.Message>) =>
            elsewhere(
              Effect.gen(function* () {
                const history = yield* open({ conversation })
                if (conversation === "two") yield* both.open
                yield* both.await
                yield* append(history, ...messages)
              })
            )
          yield* Effect.all([branch("one", [joined, reversed]), branch("two", [reversed, joined])], { concurrency: 2 })
          assert.deepStrictEqual([...(yield* (yield* open({ conversation: "two" })).messages)], [reversed, joined])
        })
      )
    )

    it.live("reads what another connection appended since", () =>
      run(
        Effect.gen(function* () {
          const here = yield* open()
          yield* append(here, Message.user("a"))
          assert.deepStrictEqual(yield* texts(here), ["a"])
          yield* elsewhere(Effect.flatMap(open(), (history) => append(history, Message.user("b"))))
          yield* append(here, Message.user("c"))
          assert.deepStrictEqual(yield* texts(here), ["a", "b", "c"])
        })
      )
    )

    it.effect("follows the transaction that it is used in", () =>
      run(
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const failing = Effect.gen(function* () {
            const history = yield* open()
            yield* append(history, Message.user("a"))
            assert.deepStrictEqual(yield* texts(history), ["a"])
            return yield* Effect.fail("undo")
          })
          assert.strictEqual(yield* Effect.flip(sql.withTransaction(failing)), "undo")
          assert.deepStrictEqual(yield* texts(yield* open()), [])
        })
      )
    )

    it.effect("an append that waits for its message holds no connection", () =>
      run(
        Effect.gen(function* () {
          const history = yield* open()
          const release = yield* Latch.make()
          const slow = yield* MessagePromise.fromStream(Stream.fromEffect(Effect.as(release.await, "slow")))
          const fiber = yield* Effect.forkChild(history.append(slow), { startImmediately: true })
          assert.deepStrictEqual(yield* texts(history), [])
          yield* append(yield* open({ conversation: "two" }), Message.user("quick"))
          yield* release.open
          yield* Fiber.join(fiber)
          assert.deepStrictEqual(yield* texts(history), ["slow"])
        })
      )
    )

    it.effect("says what it could not do when the database fails, and why", () =>
      run(
        Effect.gen(function* () {
          const { tablePrefix } = yield* Database
          const sql = yield* SqlClient.SqlClient
          const history = yield* open()
          yield* append(history, Message.user("a"))
          yield* sql`DROP TABLE ${sql(`${tablePrefix}objects`)}`
          const errors = [
            yield* Effect.flip(append(history, Message.user("b"))),
            yield* Effect.flip(history.messages),
            yield* Effect.flip(history.messagesBefore(1))
          ]
          assert.deepStrictEqual(
            errors.map(({ _tag, history, operation }) => [_tag, operation, history]),
            ["append to", "read", "read"].map((operation) => ["HistoryError", operation, "one (main)"])
          )
          for (const error of errors) {
            assert.include(error.reason, "objects")
            assert.include(error.cause, { _tag: "StoreError", reason: "failed" })
          }
          assert.strictEqual((yield* history.branches)[0]?.length, 1) // nothing of what failed is kept
        })
      )
    )

    it.effect("its agent keeps what it is sent, and replies with all there is", () =>
      run(
        Effect.gen(function* () {
          const { tablePrefix } = yield* Database
          const agent = yield* SqlHistory.make({ conversation: "one", tablePrefix })
          const input = ["a", Message.text("not this", History.noHistory)]
          yield* (yield* agent.trigger(input)).messages
          const replies = yield* agent.trigger("b", { returnFullHistory: true })
          assert.deepStrictEqual((yield* replies.messages).map(String), ["a", "b"])
          const all = yield* SqlHistory.make({ conversation: "one", tablePrefix, ignoreMarks: true })
          yield* (yield* all.trigger(input)).messages
          assert.deepStrictEqual(yield* texts(yield* open()), ["a", "b", "a", "not this"])
        })
      )
    )
  })
}
