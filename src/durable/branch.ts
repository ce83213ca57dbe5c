/** The ways that a call goes at once, of which one is chosen. */
import type { Numbering, Place } from "../internal/place.ts"

/**
 * One of several ways of which one is chosen: when the call runs again, it alone is gone. So its calls have numbers of
 * their own, such as `r0.1.2`: the third one of the second way of the first choice.
 */
export class Branch implements Numbering {
  readonly place: Place | undefined
  private readonly before: string
  private calls = 0
  private choices = 0

  constructor(place: Place | undefined, choice: string, way: number) {
    this.place = place
    this.before = `${choice}${way}.`
  }

  get name(): string {
    return `#${this.before}`
  }

  nextCall(): string {
    return `${this.before}${this.calls++}`
  }

  nextChoice(): string {
    return `${this.before}r${this.choices++}.`
  }
}

const choices = new WeakMap<Place, number>()

/** The next choice of a call, outside of its branches. */
export const choiceAt = (place: Place): string => {
  const choice = choices.get(place) ?? 0
  choices.set(place, choice + 1)
  return `r${choice}.`
}
