/** The calls that wait for another one. */
import type { Stuck } from "../../internal/deadlocks.ts"
import { Place } from "../../internal/place.ts"
import type { Supervisor } from "../../internal/task.ts"

/** The calls that wait for another one right now, whether or not that one goes on. */
export const waitsOf = (supervisor: Supervisor): ReadonlyArray<Stuck> =>
  supervisor.root.subtree(new Set()).flatMap(({ place, waiting }) => {
    if (place === undefined || waiting === undefined) return []
    const places = waiting.log.fillers.flatMap((filler) => filler.place ?? [])
    // a message that a model fills has no task of its own, but a maker
    const { maker } = waiting.log as { readonly maker?: unknown } // only such a message has one
    if (maker instanceof Place) places.push(maker)
    const waitsFor = places.find((other) => other !== place)
    return waitsFor === undefined ? [] : [{ place, waitsFor, since: waiting.since }]
  })
