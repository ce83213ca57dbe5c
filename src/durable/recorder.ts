/** What a run says, against what it was heard to say before it was cut off. */
import type * as Transcript from "../Transcript.ts"

/** A message came out different although it had been given out as a whole. */
export interface Diverged {
  readonly _tag: "diverged"
  readonly at: number
  /** The call that made it. */
  readonly path: string
}

/** A message as it was logged. */
interface Logged {
  /** The call that made it. */
  readonly path: string
  text: string
  isOver: boolean
  /** Its hash key, unless it broke. */
  key: string | undefined
}

/**
 * Gives the events that are new. Invariants:
 * 1. What was logged is a prefix of what is said, or a `reset` said from where not.
 * 2. A message that was whole comes out the same, or the run is at its end.
 */
export class Recorder {
  private readonly logged: Array<Logged> = []
  /** Where the events are: how many messages they have ended, and how much of the next one's text they have said. */
  private at = 0
  private to = 0

  constructor(events: ReadonlyArray<Transcript.Event>) {
    for (const event of folded(events)) this.log(event)
  }

  take(event: Transcript.Event): ReadonlyArray<Transcript.Event> | Diverged {
    switch (event._tag) {
      case "open":
        return this.open(event)
      case "text":
        return this.text(event)
      case "message":
      case "broken":
        return this.over(event)
      case "reset":
        this.at = event.at
        this.to = event.to
        return []
      case "interrupted":
        return [event]
      default:
        return this.logged.length > this.at ? this.diverged(this.at) : [event]
    }
  }

  private open(event: Extract<Transcript.Event, { _tag: "open" }>): ReadonlyArray<Transcript.Event> {
    this.at = event.at
    this.to = 0
    if (event.at < this.logged.length) return []
    this.log(event)
    return [event]
  }

  private text(event: Extract<Transcript.Event, { _tag: "text" }>): ReadonlyArray<Transcript.Event> {
    const { at, text, to } = event
    this.to = to
    const message = this.logged[at]
    if (message.isOver) return [] // its end says whether it is the same
    const start = to - text.length
    const had = message.text.slice(start)
    const same = sameLength(had, text)
    if (same === text.length) return []
    const out: Array<Transcript.Event> = []
    if (same < had.length) out.push({ _tag: "reset", at, to: start + same })
    message.text = message.text.slice(0, start) + text
    out.push(same === 0 ? event : { ...event, text: text.slice(same) })
    return out
  }

  private over(
    event: Extract<Transcript.Event, { _tag: "message" | "broken" }>
  ): ReadonlyArray<Transcript.Event> | Diverged {
    const { at } = event
    const message = this.logged[at]
    const key = event._tag === "message" ? event.hashKey : undefined
    const { to } = this
    this.at = at + 1
    this.to = 0
    if (message.isOver) return message.key === key ? [] : this.diverged(at)
    message.isOver = true
    message.key = key
    return to < message.text.length ? [{ _tag: "reset", at, to }, event] : [event]
  }

  private diverged(at: number): Diverged {
    return { _tag: "diverged", at, path: this.logged[at].path }
  }

  private log(event: Transcript.Event): void {
    if (event._tag === "open") this.logged.push({ path: event.origin?.path ?? "", text: "", isOver: false, key: "" })
    else if (event._tag === "text") this.logged[event.at].text += event.text
    else if (event._tag === "message" || event._tag === "broken") {
      const message = this.logged[event.at]
      message.isOver = true
      message.key = event._tag === "message" ? event.hashKey : undefined
    }
  }
}

/** How much two texts have in common from their start, without half a surrogate pair. */
const sameLength = (left: string, right: string): number => {
  const length = Math.min(left.length, right.length)
  let same = 0
  while (same < length && left.charCodeAt(same) === right.charCodeAt(same)) same++
  const last = same === 0 ? 0 : right.charCodeAt(same - 1)
  return same < right.length && last >= 0xd800 && last <= 0xdbff ? same - 1 : same
}

/** A position, as a number of messages and how much of the text of the next one, if that is open. */
export interface Had {
  readonly at: number
  readonly to: number | undefined
}

export const nothing: Had = { at: 0, to: undefined }

export const hadAt = (position: Transcript.Position): Had => {
  const [at = "", to] = position.split(".")
  return to === "x" ? { at: Number(at) + 1, to: undefined } : { at: Number(at), to: Number(to) }
}

const isBefore = (one: Had, other: Had): boolean =>
  one.at < other.at || (one.at === other.at && (one.to ?? -1) < (other.to ?? -1))

/** Where a reset leads. */
const target = ({ at, to }: Extract<Transcript.Event, { _tag: "reset" }>): Had => ({
  at,
  to: to === 0 ? undefined : to
})

/** What of an event comes after a position. */
const beyond = (event: Transcript.Event, had: Had): Transcript.Event | undefined => {
  if (!("at" in event) || event._tag === "reset" || event.at > had.at) return event
  if (event.at < had.at) return undefined
  if (had.to === undefined) return event
  if (event._tag === "open") return undefined
  if (event._tag !== "text") return event
  if (event.to <= had.to) return undefined
  const start = event.to - event.text.length
  return start >= had.to ? event : { ...event, text: event.text.slice(had.to - start) }
}

/** The events of a log as they stand: what was taken back is not among them. */
export const folded = (events: ReadonlyArray<Transcript.Event>): ReadonlyArray<Transcript.Event> => {
  if (!events.some(({ _tag }) => _tag === "reset")) return events
  let kept: Array<Transcript.Event> = []
  for (const event of events) {
    if (event._tag !== "reset") kept.push(event)
    else kept = kept.flatMap((before) => upTo(before, target(event)) ?? [])
  }
  return kept
}

/** How much text one event holds at most, in UTF-16 units, as where events are made. */
const maxText = 10_920

/** The same events with as few pieces of text as can be. */
const joined = (events: ReadonlyArray<Transcript.Event>): ReadonlyArray<Transcript.Event> => {
  const out: Array<Transcript.Event> = []
  for (const event of events) {
    const last = out.at(-1)
    if (event._tag !== "text" || last?._tag !== "text" || last.text.length + event.text.length > maxText)
      out.push(event)
    else out[out.length - 1] = { ...event, text: last.text + event.text }
  }
  return out
}

/** What of an event comes before a position. */
const upTo = (event: Transcript.Event, had: Had): Transcript.Event | undefined => {
  if (!("at" in event) || event.at > had.at) return undefined
  if (event.at < had.at) return event
  if (had.to === undefined || event._tag === "message" || event._tag === "broken") return undefined
  if (event._tag !== "text" || event.to <= had.to) return event
  const start = event.to - event.text.length
  return start >= had.to ? undefined : { ...event, to: had.to, text: event.text.slice(0, had.to - start) }
}

/** A reader of the events of a log from a position on. */
export class Follower {
  private had: Had
  private first = true

  constructor(from: Transcript.Position | undefined) {
    this.had = from === undefined ? nothing : hadAt(from)
  }

  /** What is to be given of the next events of the log: the first time of all those that are there. */
  take(events: ReadonlyArray<Transcript.Event>): ReadonlyArray<Transcript.Event> {
    const out: Array<Transcript.Event> = []
    let given = events
    if (this.first) {
      this.first = false
      for (const event of events) if (event._tag === "reset") this.reset(event)
      const { at, to = 0 } = this.had
      // who was further than that may have had what was taken back
      if (this.wasReset) out.push({ _tag: "reset", at, to })
      given = joined(folded(events))
    }
    for (const event of given) {
      if (event._tag === "reset") this.reset(event)
      const rest = beyond(event, this.had)
      if (rest !== undefined) out.push(rest)
    }
    return out
  }

  private wasReset = false

  private reset(event: Extract<Transcript.Event, { _tag: "reset" }>): void {
    if (!isBefore(target(event), this.had)) return
    this.had = target(event)
    this.wasReset = true
  }
}
