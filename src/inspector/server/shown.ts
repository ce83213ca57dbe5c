/** What a page can look at, and what can be done with it. */
import * as Effect from "effect/Effect"
import type { Recording } from "../record/recording.ts"
import type { About, Act, Callable, Chat, ToAnswer, ToFork, ToRerun, ToSay } from "../wire.ts"

/** Something that can be looked at. */
export interface Shown {
  readonly about: () => Omit<About, "can">
  readonly recording: Recording
  /** The time of the recording, in milliseconds since it began. */
  readonly now: () => number
  /** Keeps the recording up to date, for as long as anybody looks. */
  readonly follow?: Effect.Effect<void>
  readonly acts?: Acts
}

/** What can be done with it. What cannot be done now fails with a sentence. */
export interface Acts {
  readonly chat?: {
    readonly agents: Effect.Effect<ReadonlyArray<Callable>>
    readonly get: (chat: string) => Chat | undefined
    readonly say: (said: ToSay) => Effect.Effect<number, string>
  }
  readonly answer?: (answer: ToAnswer) => Effect.Effect<void, string>
  readonly rerun?: (again: ToRerun) => Effect.Effect<string, string>
  readonly fork?: (fork: ToFork) => Effect.Effect<string, string>
  readonly stop?: (call: number) => Effect.Effect<void, string>
}

/** What there is to look at. */
export interface Shelf {
  readonly list: Effect.Effect<ReadonlyArray<About>>
  /** What has this id, or what comes first. */
  readonly find: (id: string | undefined) => Effect.Effect<Shown | undefined>
}

/** What a page is told of it. */
export const aboutOf = ({ about, acts = {} }: Shown): About => ({ ...about(), can: Object.keys(acts) as Array<Act> })

/** What is on both. */
export const joined = (first: Shelf, second: Shelf): Shelf => ({
  list: Effect.zipWith(first.list, second.list, (some, more) => [...some, ...more]),
  find: (id) =>
    Effect.filterOrElse(
      first.find(id),
      (found) => found !== undefined,
      () => second.find(id)
    )
})

/** These, and no others. */
export const fixed = (shown: ReadonlyArray<Shown>): Shelf => ({
  list: Effect.sync(() => shown.map(aboutOf)),
  find: (id) => Effect.sync(() => (id === undefined ? shown[0] : shown.find(({ about }) => about().id === id)))
})
