/** The replies of an agent as updates of a task, as pure folds of a transcript. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { Message, type MessageSequence, MiniAgents, Transcript } from "miniagents"
import { A2a } from "miniagents/serve"
import { law } from "../laws/Law.ts"
import * as Program from "../laws/Program.ts"
import { artifactsOf, stateOf, type Update } from "./A2aClient.ts"
import * as Talk from "./Talk.ts"

type Sequence = MessageSequence.MessageSequence<unknown>

const head = { id: "task_1", contextId: "c" }

const updates = (events: Stream.Stream<Transcript.Event>) =>
  Effect.map(Stream.runCollect(A2a.toUpdates(events, head)), (all) => all as unknown as ReadonlyArray<Update>)
const transcript = (sequence: Sequence) => Transcript.encode(sequence as MessageSequence.MessageSequence<never>)

/** What an artifact of each message that is said holds. */
const expected = (messages: ReadonlyArray<Message.Message>) =>
  messages
    .filter((message) => !Message.isAside(message))
    .map((message) => {
      if (message instanceof Message.Data) return message.data
      return message instanceof Talk.Weather ? { degrees: message.degrees } : String(message)
    })

describe("A2a.toUpdates", () => {
  law(
    "one artifact for each message that is said, of nothing else, however the text is cut",
    { talk: Talk.Talk },
    ({ talk }) =>
      Effect.gen(function* () {
        const replies = yield* Talk.replies(talk)
        // what a tool says are asides of the sequence, not of their class
        const sequence = yield* Effect.map(Stream.runCollect(replies), (all) => all.filter(({ known }) => !known.aside))
        const live = yield* updates(transcript(replies))
        const said = expected(yield* Effect.forEach(sequence, ({ message }) => message))
        const found = artifactsOf(live).map((each) => (typeof each === "object" ? { ...each } : each))
        assert.deepStrictEqual(found.map(withoutTag), said)
        assert.deepStrictEqual(artifactsOf(yield* updates(transcript(replies))), artifactsOf(live))
        assert.strictEqual(stateOf(live), "TASK_STATE_COMPLETED")
      }).pipe(Effect.provide(MiniAgents.layer())),
    { seeds: 100 }
  )

  law(
    "whatever fails or is interrupted is said as such, after all that came before it",
    { root: Program.programs({ ends: ["ok", "ok", "fail", "die", "interrupt"], modes: ["reply", "replyOutOfOrder"] }) },
    ({ root }) =>
      Effect.gen(function* () {
        const sequence = yield* new Program.Run().trigger(root)
        const text = yield* Effect.exit(sequence.text)
        const all = yield* updates(transcript(sequence))
        assert.strictEqual(stateOf(all) === "TASK_STATE_COMPLETED", Exit.isSuccess(text))
        assert.strictEqual(all.filter((update) => "statusUpdate" in update).length, 1)
      }).pipe(Effect.provide(MiniAgents.layer())),
    { seeds: 60 }
  )

  it.effect("what is taken back is emptied, and what comes in its place replaces it", () =>
    Effect.gen(function* () {
      const open = (at: number): Transcript.Event => ({ _tag: "open", at, known: { _tag: "Text" } })
      const text = (at: number, to: number, said: string): Transcript.Event => ({ _tag: "text", at, to, text: said })
      const message = (at: number): Transcript.Event => ({
        _tag: "message",
        at,
        message: { _tag: "Text" },
        hashKey: ""
      })
      const first = [
        open(0),
        text(0, 3, "one"),
        message(0),
        open(1),
        text(1, 3, "two"),
        message(1),
        open(2),
        text(2, 1, "x")
      ]
      const cases: ReadonlyArray<
        readonly [at: number, to: number, rest: ReadonlyArray<Transcript.Event>, texts: unknown]
      > = [
        [0, 1, [text(0, 3, "ut"), message(0)], ["out", "", ""]],
        [1, 0, [open(1), text(1, 1, "t"), message(1)], ["one", "t", ""]],
        [2, 1, [text(2, 2, "y"), message(2)], ["one", "two", "xy"]],
        [2, 0, [open(2), text(2, 1, "z"), message(2)], ["one", "two", "z"]]
      ]
      for (const [at, to, rest, texts] of cases) {
        const events: ReadonlyArray<Transcript.Event> = [...first, { _tag: "reset", at, to }, ...rest, { _tag: "end" }]
        const found = artifactsOf(yield* updates(Stream.fromIterable(events)))
        assert.deepStrictEqual(found, texts)
      }
    })
  )
})

const withoutTag = (each: unknown) => {
  if (typeof each !== "object" || each === null || !("_tag" in each)) return each
  const { _tag: _, metadata: __, ...rest } = each as Record<string, unknown>
  return rest
}
