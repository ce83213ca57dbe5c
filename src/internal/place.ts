/**
 * Where calls stand in the tree of calls. A place knows the one above it and nothing below, so that a tree of any depth
 * costs one small object a call; paths and traces are spelled out when they are asked for.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type { StackFrame } from "effect/References"

/** Numbers the calls below a place otherwise than that place does. */
export interface Numbering {
  readonly place: Place | undefined
  readonly nextCall: () => string
}

export const CurrentNumbering = Context.Reference<Numbering | undefined>("miniagents/internal/CurrentNumbering", {
  defaultValue: () => undefined
})

/** The place of one call. It also is the frame that stands for the call in the stack of a failure. */
export class Place implements StackFrame {
  readonly parent: Place | undefined
  readonly agent: string
  readonly depth: number
  private readonly ordinal: number | string
  /** How many calls there are below; or, of a place made anew, the number of the only one. */
  private calls: number | string = 0
  private spelled: string | undefined = undefined
  /** What observers are shown of the call, if there are any. */
  observed: unknown = undefined

  constructor(parent: Place | undefined, agent: string, numbering?: Numbering) {
    this.parent = parent
    this.agent = agent
    this.depth = parent === undefined ? 0 : parent.depth + 1
    this.ordinal = (numbering?.place === parent ? numbering : parent)?.nextCall() ?? 0
  }

  nextCall(): number | string {
    return typeof this.calls === "number" ? this.calls++ : this.calls
  }

  /**
   * The agent that a path leads to, and the place above it, made anew for a caller in another process: the next call from
   * there has this path.
   */
  static fromPath(path: string): { readonly agent: string; readonly caller: Place | undefined } {
    let caller: Place | undefined
    const [first = "", ...rest] = path.split("/")
    let agent = unescaped(first)
    for (const segment of rest) {
      const colon = segment.indexOf(":")
      caller = new Place(caller, agent)
      const ordinal = segment.slice(0, colon)
      caller.calls = /^\d+$/.test(ordinal) ? Number(ordinal) : ordinal
      agent = unescaped(segment.slice(colon + 1))
    }
    return { agent, caller }
  }

  /** The agents from the outermost call down, each but the first with its number among the calls of the one above. */
  get path(): string {
    const unspelled: Array<Place> = []
    let path: string | undefined
    for (let place: Place | undefined = this; place !== undefined; place = place.parent) {
      path = place.spelled
      if (path !== undefined) break
      unspelled.push(place)
    }
    for (let place = unspelled.pop(); place !== undefined; place = unspelled.pop()) {
      const name = escaped(place.agent)
      path = place.spelled = path === undefined ? name : `${path}/${place.ordinal}:${name}`
    }
    return path!
  }

  /** The names of the agents from here to the outermost. */
  get trace(): ReadonlyArray<string> {
    const names: Array<string> = []
    for (let place: Place | undefined = this; place !== undefined; place = place.parent) names.push(place.agent)
    return names
  }

  get name(): string {
    return `agent ${this.agent}`
  }

  stack(): undefined {
    return undefined
  }
}

/** A slash in the name of an agent must not look like the next segment of a path. */
const escaped = (name: string): string =>
  /[%/]/.test(name) ? name.replaceAll("%", "%25").replaceAll("/", "%2F") : name

export const unescaped = (name: string): string => name.replaceAll("%2F", "/").replaceAll("%25", "%")

/** The way of a failure: the call it happened in, how far up it has come, and its way before it came to that call. */
interface Way {
  readonly place: Place
  readonly last: Place
  readonly before: Way | undefined
}

/**
 * The annotations of a reason, and beside them the way it came. The way is found by its key, and the last call by that
 * of the stack trace, but neither is among the entries: failures with the same error stay equal wherever they came from.
 */
class Annotations extends Map<string, unknown> {
  readonly way: Way

  constructor(given: ReadonlyMap<string, unknown>, way: Way) {
    super(given)
    this.way = way
  }

  override get(key: string): unknown {
    return super.get(key) ?? (key === Cause.StackTrace.key ? this.way.place : undefined)
  }
}

/** The cause with one more agent that it came through. */
export const traced = <E>(cause: Cause.Cause<E>, place: Place | undefined): Cause.Cause<E> => {
  if (place === undefined || Cause.hasInterruptsOnly(cause)) return cause
  return Cause.fromReasons(cause.reasons.map((reason) => withWay(reason, place)))
}

const withWay = <E>(reason: Cause.Reason<E>, place: Place): Cause.Reason<E> => {
  const way = wayOf(reason)
  const next = way === undefined ? { place, last: place, before: undefined } : through(way, place)
  if (next === way) return reason
  const annotations = new Annotations(reason.annotations, next)
  // a copy of the reason, of its own kind
  return Object.assign(Object.create(keepingWay(reason)) as Cause.Reason<E>, reason, { annotations })
}

/** The prototype of a reason that keeps its way where more is noted on it, as every span does that it comes through. */
const keepingWay = (reason: Cause.Reason<unknown>): object => {
  const prototype = Object.getPrototypeOf(reason) as Cause.Fail<unknown> // all kinds are annotated alike
  if (keeping.has(prototype)) return prototype
  let made = kept.get(prototype)
  if (made === undefined) {
    made = Object.create(prototype, {
      annotate: {
        value(this: Cause.Fail<unknown>, ...args: Parameters<Cause.Fail<unknown>["annotate"]>) {
          const annotated = prototype.annotate.apply(this, args)
          const way = wayOf(this)
          if (annotated === this || way === undefined) return annotated
          return Object.assign(annotated, { annotations: new Annotations(annotated.annotations, way) })
        }
      }
    }) as object
    kept.set(prototype, made)
    keeping.add(made)
  }
  return made
}
const kept = new WeakMap<object, object>()
const keeping = new WeakSet<object>()

const wayOf = ({ annotations }: Cause.Reason<unknown>): Way | undefined =>
  annotations instanceof Annotations ? annotations.way : undefined

const through = (way: Way, place: Place): Way => {
  let { last } = way
  while (last.parent !== undefined && last.depth > place.depth) last = last.parent
  if (last !== place) return { place, last: place, before: way }
  return way.last === place ? way : { ...way, last: place }
}

/** The agents that a failure came through, the innermost first; none, if it came through none. */
export const traceOf = (cause: Cause.Cause<unknown>): ReadonlyArray<string> => {
  for (const reason of cause.reasons) {
    const way = wayOf(reason)
    if (way !== undefined) return namesOn(way)
  }
  return []
}

const namesOn = (way: Way): ReadonlyArray<string> => {
  const ways: Array<Way> = []
  for (let each: Way | undefined = way; each !== undefined; each = each.before) ways.push(each)
  const places = new Set<Place>()
  for (const { place } of ways.reverse()) {
    for (let each: Place | undefined = place; each !== undefined; each = each.parent) places.add(each)
  }
  return [...places].map(({ agent }) => agent)
}

/** Says of a failure that it stands in a message of a call: one and the same failure, seen in two places. */
export interface Shown {
  readonly place: Place
}

const ShownIn = Context.Reference<Shown | undefined>("miniagents/internal/place/ShownIn", {
  defaultValue: () => undefined
})

/** The failure of a message that is to be the failure of its call as well. */
export const shownIn = <E>(cause: Cause.Cause<E>, place: Place | undefined): Cause.Cause<E> =>
  place === undefined ? cause : Cause.annotate(cause, Context.make(ShownIn, { place }), { overwrite: true })

/** Where a failure is shown already, if it is. */
export const shownOf = (cause: Cause.Cause<unknown>): Shown | undefined => {
  for (const { annotations } of cause.reasons) {
    const shown = annotations.get(ShownIn.key)
    if (shown !== undefined) return shown as Shown // nothing else is kept under this key
  }
  return undefined
}
