/** The ways to read a sequence: its messages, its promises, its parts, or all of it as one message. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as Message from "../Message.ts"
import type { MessagePromise } from "../MessagePromise.ts"
import type { MessageSequence, Part, SingleOptions } from "../MessageSequence.ts"
import { joinedTokens, withoutNewlines } from "./joinedTokens.ts"
import { inside, isAside, View } from "./promise.ts"
import { type Observes, Reader } from "./ropeReader.ts"
import type { Promise, Sequence } from "./sequence.ts"
import { ended } from "./streamable.ts"

const blankLine = "\n\n"

export const joined = <E>(messages: Effect.Effect<ReadonlyArray<Message.Message>, E>): Effect.Effect<string, E> =>
  Effect.map(messages, (messages) => messages.map(String).join(blankLine))

/** The messages of a sequence, or those that are said: what is an aside is waited for all the same. */
export const collect = <E>(
  sequence: Sequence<E>,
  observes: Observes,
  said = false
): Effect.Effect<ReadonlyArray<Message.Message>, E> =>
  Effect.suspend(() => {
    const reader = new Reader(sequence, observes)
    const messages: Array<Message.Message> = []
    let chunk: ReadonlyArray<Promise> = []
    let next = 0
    const step: Effect.Effect<ReadonlyArray<Message.Message>, E> = Effect.suspend(() => {
      while (true) {
        for (; next < chunk.length; next++) {
          const promise = inside(chunk[next]!)
          if (promise.whole === undefined) {
            const { message } = observes === "all" ? promise : promise.watched
            return Effect.flatMap(message as Effect.Effect<Message.Message, E>, push) // a promise of this sequence
          }
          add(promise, promise.whole)
        }
        chunk = reader.read()
        next = 0
        if (chunk.length > 0) continue
        if (reader.exit === undefined) return Effect.flatMap(reader.blocked!.changedFor(observes), () => step)
        const exit = reader.readExit()
        return Exit.isSuccess(exit) ? Effect.succeed(messages) : (exit as Exit.Exit<never, E>) // what it fails with, its type says
      }
    })
    const add = (promise: Promise, message: Message.Message) => {
      if (!said || !(isAside(promise) || Message.isAside(message))) messages.push(message)
    }
    const push = (message: Message.Message) => {
      add(chunk[next]!, message)
      next++
      return step
    }
    return step
  })

type Chunks<A, E> = Effect.Effect<Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E>>

/** The promises of a sequence, flat. */
export const promisesOf = (sequence: Sequence, observes: Observes): Chunks<Promise, unknown> =>
  Effect.sync(() => {
    const reader = new Reader(sequence, observes)
    const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Promise>, unknown> = Effect.suspend(() => {
      let chunk: ReadonlyArray<Promise> = reader.read()
      if (observes === "none") chunk = chunk.map((promise) => inside(promise).watched)
      if (Arr.isReadonlyArrayNonEmpty(chunk)) return Effect.succeed(chunk)
      if (reader.exit !== undefined) return ended(reader.readExit())
      return Effect.flatMap(reader.blocked!.changedFor(observes), () => pull)
    })
    return pull
  })

/** What was put into a sequence, in the order of that. */
export const partsOf = <E>(sequence: Sequence<E>, observes: Observes): Chunks<Part<E>, E> =>
  Effect.sync(() => {
    let index = 0
    let over = false
    const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Part<E>>, E> = Effect.suspend(() => {
      if (observes === "all") sequence.startUnsafe()
      const { exit, items } = sequence.added
      if (index < items.length) {
        const parts = items.slice(index).map((part) => sequence.part(part, observes) as Part<E>) // they are its parts
        index = items.length
        return Effect.succeed(parts as Arr.NonEmptyArray<Part<E>>) // from an index below the length
      }
      if (exit === undefined) return Effect.flatMap(sequence.added.changedFor(observes), () => pull)
      const failure = sequence.failure
      if (failure !== undefined) {
        const [promise] = failure
        if (over || promise === undefined) return Cause.done()
        over = true
        return Effect.succeed([promise as Part<E>]) // it cannot fail
      }
      if (observes === "all" && Exit.isFailure(exit)) sequence.failureRead()
      return ended(exit)
    })
    return pull
  })

export const singleOf = <E>(
  self: MessageSequence<E>,
  source: Sequence<E>,
  options: SingleOptions = {}
): MessagePromise<E> => {
  const { delimiter = blankLine, known = {}, mergeMetadata = false, originals = false, trimStart = false } = options
  const spoken = Stream.map(self, (promise) => ({
    tokens: trimStart ? withoutNewlines(promise) : promise,
    isSilent: isAside(promise)
  }))
  const tokens = joinedTokens(spoken, delimiter)
  const join = (messages: ReadonlyArray<Message.Message>) => {
    const texts = messages.map(String)
    const content = (trimStart ? texts.map((text) => text.replace(/^[\r\n]+/, "")) : texts).join(delimiter)
    const merged = mergeMetadata ? Object.assign({}, ...messages.map((message) => message.metadata)) : {}
    const metadata = { ...merged, ...known.metadata }
    return originals
      ? new Message.Joined({ content, originals: messages, metadata })
      : Message.fromText(content, Object.keys(metadata).length === 0 ? known : { ...known, metadata })
  }
  return new View<E>(source, {
    known: originals ? { _tag: "Joined" } : { _tag: "Text", ...known },
    tokens,
    message: Effect.map(collect(source, self === source ? "all" : "none", true), join),
    ...(self === source && { again: (watched: MessageSequence<E>) => singleOf(watched, source, options) })
  })
}
