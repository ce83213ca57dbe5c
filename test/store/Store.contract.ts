/** What a store does, wherever it is kept: run `suite` with a layer that makes an empty one. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Message, MiniAgents, Persistence } from "miniagents"
import { LlmMessage } from "miniagents/llm"
import { Conversation, Store } from "miniagents/store"

export class Note extends Message.Class<Note>()("Note", { title: Schema.String, on: Message.Text }) {}
export class Folder extends Message.Class<Folder>()("Folder", {
  pinned: Schema.optionalKey(Note),
  notes: Schema.Array(Message.Any),
  shelf: Schema.Struct({ mixed: Schema.Array(Schema.Union([Schema.String, Message.Any])), at: Schema.DateTimeUtc })
}) {}
export const classes = [Note, Folder]

/** A class whose messages do not come back as what they were. */
class Lossy extends Message.Class<Lossy>()("Note", { title: Schema.String }) {}

export const texts = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => Message.user(`${from + i}`))
export const keysOf = (messages: ReadonlyArray<Message.Message>) =>
  messages.map((message) => `${message._tag} ${message.hashKey}`)
const knowing = Effect.provideService(Store.CurrentClasses, classes)

const note = new Note({ title: "a", on: Message.text("x") })
const folder = Schema.decodeSync(Message.codec(classes))({
  ...{ _tag: "Folder", pinned: { _tag: "Note", title: "b", on: { _tag: "Text", content: "y" } } },
  notes: Array.from({ length: 40 }, (_, i) => ({ _tag: "User", content: `${i}` })),
  shelf: { mixed: ["word", { _tag: "User", content: "z" }, "w"], at: "1970-01-01T00:00:00.000Z" }
})
const image = `data:image/png;base64,${"iVBORw0KGgo".repeat(3_200)}`
/** Messages of all kinds: with others inside, with lists longer than a page, with long and odd strings. */
export const kinds: ReadonlyArray<Message.Message> = [
  note,
  folder,
  new Message.Assistant({ content: "Hello!", agent: "Greeter", usage: { outputTokens: 2 } }, { disableChecks: false }),
  new Message.Joined({
    content: "",
    originals: [note, ...texts(0, 100), new Message.Joined({ content: "", originals: [note] })]
  }),
  new Message.ReplyRecord({
    agent: "a",
    call: new Message.CallRecord({ agent: "a", parameters: { p: [1] }, messages: texts(0, 64) }),
    replies: [folder]
  }),
  Message.data(
    {
      on__hash_key: "mine",
      on__hash_keys: ["mine"],
      on__hash_pages: 1,
      on__hash_key_: 1,
      list: [{ __hash_key: "mine" }]
    },
    { ["__proto__"]: 1, __hash_keys: [] }
  ),
  Message.data({ images: [image, "between", image, `${image}!`], [`${image}`]: 1, on__hash_key: image }),
  Message.user(`${image}\u0000\ud83d\u2028"\\`),
  new LlmMessage.ToolCall({ id: "1", name: "look", parameters: { image } }),
  new LlmMessage.ToolResult({ id: "1", name: "look", result: [image], isFailure: false }),
  new LlmMessage.Reasoning({ content: "hm" }),
  ...Message.nested(new Message.Joined({ content: "", originals: texts(0, 70) })),
  new Message.Page({ items: [note], length: 7 })
]

const Position = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 130 }))
const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
const Step = Schema.Struct({
  what: Schema.Literals(["append", "append", "fork", "rewind", "undo", "delete", "collect"]),
  on: Small,
  many: Position,
  at: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
})

interface Model {
  readonly list: ReadonlyArray<Message.Message>
  readonly before: ReadonlyArray<Message.Message> | undefined
  readonly version: number
}

export const suite = (name: string, layer: Layer.Layer<Store.Store>): void => {
  const run = <A, E>(effect: Effect.Effect<A, E, Store.Store>) => Effect.provide(effect, Layer.fresh(layer))

  describe(`a store: ${name}`, () => {
    it.effect("Law 22, Store: gives back what was put, whatever it is, under the hash key that it has", () =>
      run(
        knowing(
          Effect.gen(function* () {
            yield* Store.put(kinds)
            for (const message of kinds) {
              const found = yield* Store.get(message.hashKey)
              assert.deepStrictEqual(found, message)
              assert.strictEqual(found?.hashKey, message.hashKey)
              for (const inside of Message.nested(message)) {
                assert.deepStrictEqual(yield* Store.get(inside.hashKey), inside)
              }
            }
            assert.isUndefined(yield* Store.get(Message.text("not there").hashKey))
            assert.isUndefined(yield* Store.get("no key"))
          })
        )
      )
    )

    it.effect("Law 22, Store: equal content is kept once, and a large part of it, too", () =>
      run(
        Effect.gen(function* () {
          const [one, other] = [Message.data({ image }), Message.data({ image, other: [image, image] })]
          yield* Store.put([one, one, Message.text("x"), Message.text("x")])
          yield* Store.put([one, other])
          yield* Conversation.append("a", [one, Message.text("x")])
          yield* Conversation.append("b", [Message.text("x"), other])
          // two messages with the image, the image, and a text
          assert.deepInclude(yield* Store.verify, { objects: 4, pages: 0, damaged: [] })
        })
      )
    )

    it.effect.prop(
      "Law 22, Store: append, fork, rewind, undo, delete and diff are those of arrays, and nothing is lost by collecting",
      { steps: Schema.Array(Step) },
      ({ steps }) =>
        run(
          Effect.gen(function* () {
            const models = new Map<string, Model>([["0", { list: [], before: undefined, version: 1 }]])
            yield* Conversation.append("0", [])
            let names = 0
            for (const [i, { at, many, on, what }] of steps.entries()) {
              const all = [...models.keys()]
              const name = all[on % all.length]!
              const model = models.get(name)!
              const { list, version } = model
              const point = Math.floor(at * list.length) + 0 // never -0
              if (what === "append") {
                const added = texts(i % 3, (i % 3) + many)
                const head = yield* Conversation.append(name, added, i % 2 === 0 ? { version } : {})
                assert.deepStrictEqual(head, { length: list.length + many, version: version + 1 })
                models.set(name, { ...model, list: [...list, ...added], version: version + 1 })
              } else if (what === "fork") {
                const fork = `${++names}`
                assert.deepStrictEqual(yield* Conversation.fork(name, fork, { at: point }), {
                  length: point,
                  version: 1
                })
                models.set(fork, { list: list.slice(0, point), before: undefined, version: 1 })
              } else if (what === "rewind") {
                yield* Conversation.rewind(name, point)
                models.set(name, { list: list.slice(0, point), before: list, version: version + 1 })
              } else if (what === "undo") {
                const undone = yield* Effect.exit(Conversation.undo(name))
                assert.strictEqual(Exit.isSuccess(undone), model.before !== undefined)
                if (model.before === undefined) continue
                models.set(name, { list: model.before, before: list, version: version + 1 })
              } else if (what === "delete" && models.size > 1) {
                yield* Conversation.delete(name)
                models.delete(name)
              } else if (what === "collect") {
                yield* TestClock.adjust("2 hours")
                yield* Store.collect()
              }
            }
            yield* TestClock.adjust("2 hours")
            yield* Store.collect()
            assert.deepStrictEqual((yield* Store.verify).damaged, [])
            assert.sameMembers(
              (yield* Conversation.list()).map(({ name }) => name),
              [...models.keys()]
            )
            for (const [i, [name, { list, version }]] of [...models].entries()) {
              assert.deepStrictEqual(keysOf(yield* Conversation.messages(name)), keysOf(list))
              assert.deepInclude(yield* Conversation.get(name), { length: list.length, version })
              const [from, to] = [Math.floor(list.length / 3), Math.floor(list.length / 2)]
              assert.deepStrictEqual(keysOf(yield* Conversation.messages(name, { from })), keysOf(list.slice(from)))
              assert.deepStrictEqual(
                keysOf(yield* Conversation.messages(name, { from, to })),
                keysOf(list.slice(from, to))
              )
              assert.deepStrictEqual(
                keysOf(yield* Conversation.messages(name, { last: to })),
                keysOf(to === 0 ? [] : list.slice(-to))
              )
              // each two once
              for (const [other, { list: otherList }] of [...models].slice(i)) {
                const { left, right, shared } = yield* Store.diff(name, other)
                let same = 0
                while (same < list.length && list[same]?.hashKey === otherList[same]?.hashKey) same++
                assert.strictEqual(shared, same)
                assert.deepStrictEqual(keysOf(left), keysOf(list.slice(same)))
                assert.deepStrictEqual(keysOf(right), keysOf(otherList.slice(same)))
              }
            }
          })
        ),
      { arbitrary: { runs: 30, size: 30 }, timeout: 120_000 } as never
    )

    it.effect("Law 22, Store: rows grow with what is said, not with its history", () =>
      run(
        Effect.gen(function* () {
          for (let i = 0; i < 100; i++) {
            yield* Conversation.append("a", [Message.user(`${i}`)])
            if (i % 10 === 0) yield* Conversation.fork("a", `fork ${i}`)
          }
          assert.deepInclude(yield* Store.verify, { objects: 100, pages: 3, conversations: 11 })
        })
      )
    )

    it.effect("the key of a page is that of the message which a persistence hook is given", () =>
      run(
        Effect.gen(function* () {
          yield* Conversation.append("a", texts(0, 100))
          const pages = Message.nested(new Message.Joined({ content: "", originals: texts(0, 100) })).slice(0, -4)
          yield* Store.put(pages)
          assert.deepInclude(yield* Store.verify, { objects: 100, pages: 3 })
        })
      )
    )

    it.effect("says at which version a conversation is to whoever expected another, and appends nothing", () =>
      run(
        Effect.gen(function* () {
          const { version } = yield* Conversation.append("a", texts(0, 2), { version: 0 })
          yield* Conversation.append("a", texts(2, 3), { version })
          const changes = [
            Conversation.append("a", texts(5, 9), { version }),
            Conversation.rewind("a", 1, { version }),
            Conversation.append("a", [], { version: 7 })
          ]
          const conflicts = yield* Effect.forEach(changes, Effect.flip)
          assert.deepStrictEqual(
            conflicts.map(String),
            [1, 1, 7].map(
              (expected) => `Conflict: The conversation \`a\` is at version 2, not ${expected}: read it again`
            )
          )
          const none = yield* Effect.flip(Conversation.append("b", texts(5, 9), { version: 1 }))
          assert.deepInclude(none, { _tag: "Conflict", conversation: "b", expected: 1, actual: 0 })
          assert.deepStrictEqual(keysOf(yield* Conversation.messages("a")), keysOf(texts(0, 3)))
        })
      )
    )

    it.effect("says what a conversation does not have, and changes nothing", () =>
      run(
        Effect.gen(function* () {
          yield* Conversation.append("a", texts(0, 3))
          yield* Conversation.fork("a", "b")
          const errors: ReadonlyArray<Effect.Effect<unknown, unknown, Store.Store>> = [
            Conversation.messages("c"),
            Conversation.fork("c", "d"),
            Conversation.rewind("c", 0),
            Conversation.undo("c"),
            Conversation.log("c"),
            Conversation.delete("c"),
            Store.diff("a", "c"),
            Conversation.fork("a", "b"),
            Conversation.fork("a", "d", { at: 4 }),
            Conversation.rewind("a", -1),
            Conversation.rewind("a", 0.5),
            Conversation.undo("a")
          ]
          const told = yield* Effect.forEach(errors, Effect.flip)
          const position = (at: number) =>
            `ConversationError: The conversation \`a\` has no position \`${at}\`: take a whole number from 0 to 3, its length`
          assert.deepStrictEqual(told.map(String), [
            ...Array.from({ length: 7 }, () => "ConversationError: The conversation `c` is not in the store"),
            "ConversationError: The conversation `b` is in the store already: take another name",
            ...[4, -1, 0.5].map(position),
            "ConversationError: The conversation `a` was never rewound, or that is forgotten by now"
          ])
          assert.deepStrictEqual(
            (yield* Conversation.list()).map(({ length, name }) => [name, length]),
            [
              ["a", 3],
              ["b", 3]
            ]
          )
        })
      )
    )

    it.effect("keeps a log of a conversation, and lists conversations by a prefix, the oldest first", () =>
      run(
        Effect.gen(function* () {
          yield* TestClock.adjust(5)
          yield* Conversation.append("chat/%_b", texts(0, 40))
          yield* Conversation.fork("chat/%_b", "chat/a", { at: 33 })
          yield* Conversation.append("other", texts(0, 1))
          yield* Conversation.rewind("chat/a", 2)
          yield* Conversation.append("chat/a", texts(0, 1))
          yield* Conversation.undo("chat/a")
          assert.deepStrictEqual(yield* Conversation.log("chat/a"), [
            { version: 1, operation: "fork", length: 33, at: 5 },
            { version: 2, operation: "rewind", length: 2, at: 5 },
            { version: 3, operation: "append", length: 3, at: 5 },
            { version: 4, operation: "undo", length: 33, at: 5 }
          ])
          assert.deepStrictEqual(yield* Conversation.list("chat/"), [
            { name: "chat/%_b", parent: undefined, forkedAt: 0, length: 40, version: 1 },
            { name: "chat/a", parent: "chat/%_b", forkedAt: 33, length: 33, version: 4 }
          ])
          assert.deepStrictEqual(yield* Conversation.list("chat/%_c"), [])
        })
      )
    )

    it.effect("refuses a message that could not be read again, wherever it stands, and appends nothing of it", () =>
      run(
        Effect.gen(function* () {
          const inside = new Message.Joined({ content: "", originals: [Message.text("a"), note] })
          const lossy = new Lossy({ title: "a" })
          for (const message of [note, inside, lossy]) {
            const error = yield* Effect.flip(Conversation.append("a", [Message.text("before"), message]))
            assert.deepInclude(error, { _tag: "StoreError", reason: "unreadable" })
            assert.include(error.message, "is a `Note` that could not be read again: give its class")
          }
          const known = yield* Effect.flip(knowing(Conversation.append("a", [lossy])))
          assert.deepInclude(known, { reason: "unreadable", row: `objects ${lossy.hashKey}` })
          assert.isUndefined(yield* Conversation.get("a"))
          yield* knowing(Conversation.append("a", [note, inside]))
        })
      )
    )

    it.effect("keeps messages of classes that a program does not know, and gives them on as what they are", () =>
      run(
        Effect.gen(function* () {
          const known = [note, folder, new Message.Joined({ content: "", originals: [folder, note] })]
          yield* knowing(Conversation.append("a", known))
          const read = yield* Conversation.messages("a")
          assert.deepStrictEqual(keysOf(read), keysOf(known))
          assert.deepInclude(read[0] as object, { _tag: "Note", title: "a", on: Message.text("x") })
          assert.notInstanceOf(read[0], Note)
          yield* Conversation.append("b", [...read, new Message.Joined({ content: "again", originals: read })])
          const again = yield* knowing(Conversation.messages("b"))
          assert.deepStrictEqual(again.slice(0, 3), known)
          assert.deepStrictEqual((again[3] as Message.Joined).originals, known)
        })
      )
    )

    it.effect(
      "collects what nothing refers to, once the grace period is over, and what was rewound when it is forgotten",
      () =>
        run(
          Effect.gen(function* () {
            const root = new Message.Joined({ content: "root", originals: texts(900, 940) })
            yield* Store.put([Message.text("put"), root])
            yield* Conversation.append("a", texts(0, 40))
            yield* Conversation.append("b", texts(0, 20))
            yield* Conversation.append("b", [Message.data({ image })])
            yield* Conversation.rewind("b", 10)
            assert.deepInclude(yield* Store.collect({ grace: "1 hour" }), { removed: 0 })
            yield* TestClock.adjust("90 minutes")
            yield* Conversation.append("c", [Message.text("put")]) // as fresh as a new one
            yield* Conversation.delete("c")
            const roots = [root.hashKey]
            assert.deepInclude(yield* Store.collect({ grace: "1 hour", roots }), { removed: 0 })
            assert.strictEqual((yield* Store.collect({ grace: "1 hour" })).removed, 42) // with its texts and a page
            yield* TestClock.adjust("2 hours")
            assert.strictEqual((yield* Store.collect({ grace: "1 hour" })).removed, 1)
            assert.strictEqual((yield* Store.collect({ grace: "1 hour", forget: "1 hour" })).removed, 2)
            assert.strictEqual(String(yield* Effect.flip(Conversation.undo("b"))).includes("forgotten"), true)
            yield* Conversation.delete("a")
            assert.strictEqual((yield* Store.collect({ grace: "1 hour" })).removed, 31)
            assert.deepStrictEqual(keysOf(yield* Conversation.messages("b")), keysOf(texts(0, 10)))
          })
        )
    )

    it.effect("what several append at once is all there, in the order of each", () =>
      run(
        Effect.gen(function* () {
          const who = ["a", "b", "c"]
          const append = (who: string) =>
            Effect.forEach(
              texts(0, 20),
              ({ content }) =>
                Effect.andThen(Effect.yieldNow, Conversation.append("one", [Message.user(who + content)])),
              { discard: true }
            )
          yield* Effect.forEach(who, append, { concurrency: "unbounded" })
          const all = (yield* Conversation.messages("one")).map(String)
          assert.strictEqual(all.length, 60)
          for (const each of who) {
            assert.deepStrictEqual(
              all.filter((text) => text.startsWith(each)),
              texts(0, 20).map(({ content }) => each + content)
            )
          }
        })
      )
    )

    it.effect("is a persistence hook", () =>
      run(
        Effect.gen(function* () {
          const { put } = yield* Store.Store
          yield* Persistence.persist([note, ...texts(0, 3)]).pipe(
            Effect.provide(MiniAgents.layer({ onPersistMessages: put }))
          )
          assert.deepStrictEqual(yield* knowing(Store.get(note.hashKey)), note)
        })
      )
    )
  })
}
