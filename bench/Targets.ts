/** The targets of the scenarios as functions of their results. */
import type { Result, Target } from "./Scenario.ts"

/** The result of the contestant of that name. */
export const named = (results: ReadonlyArray<Result>, name: string): Result | undefined =>
  results.find(({ contestant }) => contestant.name === name)

/** The result of the fastest library that is neither this one nor a floor. */
export const fastestPeer = (results: ReadonlyArray<Result>): Result | undefined =>
  results.filter(({ contestant }) => contestant.kind === "peer").sort((a, b) => a.ms.median - b.ms.median)[0]

const round = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)

/** `name` takes at most `factor` times what `other` takes: time, or what else `of` says, which `what` names. */
export const atMost =
  (factor: number, name: string, other: string, what?: string, of = ({ ms }: Result): number => ms.median): Target =>
  (results) => {
    const [a, b] = [named(results, name), named(results, other)]
    if (a === undefined || b === undefined) return undefined
    const ratio = of(a) / of(b)
    const subject = what === undefined ? name : `${name}, ${what}`
    return { met: ratio <= factor, text: `${subject}: ${round(ratio)} × "${other}" (at most ${factor} ×)` }
  }

/** `name` is at least `factor` times as fast as `other`. */
export const faster =
  (factor: number, name: string, other: string): Target =>
  (results) => {
    const [a, b] = [named(results, name), named(results, other)]
    if (a === undefined || b === undefined) return undefined
    const ratio = b.ms.median / a.ms.median
    return { met: ratio >= factor, text: `${name}: ${round(ratio)} × faster than "${other}" (at least ${factor} ×)` }
  }

/** `name` is at least `factor` times as fast as the fastest peer. */
export const fasterThanPeers =
  (factor: number, name: string): Target =>
  (results) => {
    const peer = fastestPeer(results)
    return peer === undefined ? undefined : faster(factor, name, peer.contestant.name)(results)
  }

/** A number that `name` gives stays at or below a limit. */
export const limit =
  (name: string, what: string, unit: string, most: number, of: (result: Result) => number): Target =>
  (results) => {
    const result = named(results, name)
    if (result === undefined) return undefined
    return { met: of(result) <= most, text: `${name}: ${what} ${round(of(result))} ${unit} (at most ${most} ${unit})` }
  }

/** What `name` takes more than `other` for each of `size` units, in microseconds. */
export const more =
  (name: string, other: string, unit: string, size: number, most: number): Target =>
  (results) => {
    const [a, b] = [named(results, name), named(results, other)]
    if (a === undefined || b === undefined) return undefined
    const cost = ((a.ms.median - b.ms.median) * 1000) / size
    return {
      met: cost <= most,
      text: `${name}: ${cost.toFixed(2)} µs a ${unit} more than "${other}" (at most ${most} µs)`
    }
  }
