/** What a run waits for, told to who reads it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as approvals from "../../runs/approvals.ts"
import * as Runs from "../../runs/Runs.ts"
import * as Transcript from "../../Transcript.ts"

/** All that a run waits for now, but for approvals: those stand in its replies. */
export const Waits = Schema.TaggedStruct("waits", { waits: Schema.Array(Runs.Wait) })
export type Waits = typeof Waits.Type

export type Told = Transcript.Event | Waits

export const Told: Schema.Codec<Told> = Schema.Union([Transcript.Event, Waits])

/** How long lies between two looks, in milliseconds: more and more while the run says nothing. */
const pause = { first: 100, most: 5000 }

/**
 * The events of a run, and again and again what it waits for, as long as there is anything: who has answered learns whether
 * it is still waited for.
 */
export const told = (
  runs: Runs.Service,
  id: string,
  events: Stream.Stream<Transcript.Event, Runs.RunsError>
): Stream.Stream<Told, Runs.RunsError> =>
  Stream.suspend(() => {
    let wait = pause.first
    let before = 0
    const look = Effect.gen(function* () {
      yield* Effect.sleep(wait)
      wait = Math.min(pause.most, wait * 2)
      const { waits } = yield* runs.get(id)
      return waits.filter(({ name }) => !approvals.isSignal(name))
    })
    const waits = Stream.fromEffectRepeat(look).pipe(
      Stream.filter(({ length }) => {
        const isSame = length === 0 && before === 0
        before = length
        return !isSame
      }),
      Stream.map((waits): Told => ({ _tag: "waits", waits }))
    )
    const awake = Stream.mapArray(events, (some) => {
      wait = pause.first
      return some
    })
    return Stream.merge(awake, waits, { haltStrategy: "left" })
  })
