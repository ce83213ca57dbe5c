/** S15: a message of so many tokens that leaves the process as events while it is said, and comes back as a sequence. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { MessagePromise, MessageSequence, Transcript } from "miniagents"
import type { Case } from "../Case.ts"
import * as Tokens from "../Tokens.ts"
import { run } from "./Runtime.ts"

/** Tokens that come one at a time, so that each is read, and each is an event, before the next one is there. */
const spoken = (count: number) =>
  Tokens.stream(count).pipe(
    Stream.tap(() => Effect.yieldNow),
    MessagePromise.fromStream,
    Effect.flatMap((promise) => MessageSequence.from(promise))
  )

const check = (text: string, count: number) =>
  text === Tokens.take(count).join("") ? Effect.void : Effect.die(new Error("the text is another one"))

const textOf = (sequence: MessageSequence.MessageSequence<unknown>) =>
  Stream.mkString(Stream.flatMap(sequence, (promise) => promise))

/** Read as it is, token by token. */
export const bare: Case = (count) =>
  run(
    Effect.gen(function* () {
      yield* check(yield* textOf(yield* spoken(count)), count)
    })
  )

/** Encoded token by token. */
export const encoded: Case = (count) =>
  run(
    Effect.gen(function* () {
      const texts = Stream.map(Transcript.encode(yield* spoken(count)), (event) =>
        event._tag === "text" ? event.text : ""
      )
      yield* check(yield* Stream.mkString(texts), count)
    })
  )

/** Encoded and decoded token by token, and read. */
export const decoded: Case = (count) =>
  run(
    Effect.gen(function* () {
      const sequence = yield* Transcript.decode(Transcript.encode(yield* spoken(count)))
      yield* check(yield* textOf(sequence), count)
    })
  )
