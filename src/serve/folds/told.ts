/** What a protocol makes of the events of a transcript. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type * as Transcript from "../../Transcript.ts"

/** What comes together is told together, in one stage, as it runs for each token of each reader. */
export const by = <A, E, R>(
  events: Stream.Stream<Transcript.Event, E, R>,
  take: (event: Transcript.Event) => ReadonlyArray<A>
): Stream.Stream<A, E, R> =>
  Stream.transformPull(events, (source) => {
    const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E> = Effect.flatMap(source, (some) => {
      const all = some.length === 1 ? take(some[0]) : some.flatMap(take)
      return Arr.isReadonlyArrayNonEmpty(all) ? Effect.succeed(all) : pull
    })
    return Effect.succeed(pull)
  })
