/** What a run asked of the outside and was answered, and in which order things came. */
import type * as Schema from "effect/Schema"
import * as Json from "../internal/json.ts"
import type { LogRow } from "./tables.ts"

/** What was asked: by which call, the hash of it, and how often that call had asked the same before. */
export interface Question {
  readonly path: string
  readonly what: string
  readonly hash: string
  readonly n: number
}

export interface Answer extends Question {
  readonly value: Schema.Json
  /** The signal that it was, if it was one. */
  readonly signal?: number
  /** Whether it was taken from the run that this is a rerun of. */
  readonly reused?: true
}

const VALUE = ',"value":'

/** An answer as it was kept. The answer itself is read when it is asked for: most of those of a long run are not, at first. */
const answerOf = (body: string): Answer => {
  const at = body.indexOf(VALUE) // strings have no quotes of their own
  if (at < 0 || /,"(signal|reused)":\w+\}$/.test(body)) return JSON.parse(body) as Answer
  let value: Schema.Json | undefined
  return {
    ...(JSON.parse(`${body.slice(0, at)}}`) as Omit<Answer, "value">),
    get value() {
      return (value ??= JSON.parse(body.slice(at + VALUE.length, -1)) as Schema.Json)
    }
  }
}

/** Part of an answer that is not at its end. */
interface Piece extends Question {
  readonly pieces: ReadonlyArray<Schema.Json>
}

export interface Order {
  readonly key: string
  readonly lane: number
}

/** What is known of a question when it is asked. */
export interface Asked {
  readonly question: Question
  readonly kept: Answer | undefined
  /** What another run was answered. */
  readonly other: Answer | undefined
  /** What had been said when it was cut off. */
  readonly pieces: ReadonlyArray<Schema.Json>
}

/**
 * Invariants:
 * 1. An answer is given once, to the call that asked for it.
 * 2. What another run was answered is given to the call of the same path, or else to one below agents of the same names.
 */
export class Journal {
  private readonly answers = new Map<string, Answer>()
  private readonly given = new Set<Answer>()
  private readonly pieces = new Map<string, Array<Schema.Json>>()
  readonly orders = new Map<string, Array<number>>()
  private readonly counts = new Map<string, number>()
  /** The signals that were answers. */
  readonly signals = new Set<number>()
  private readonly other: Other | undefined

  constructor(rows: ReadonlyArray<LogRow>, other?: ReadonlyArray<LogRow>) {
    this.other = other === undefined ? undefined : new Other(new Journal(other))
    for (const { body, kind } of rows) {
      if (kind === "answer") this.keep(answerOf(body))
      else if (kind === "tokens") this.say(JSON.parse(body) as Piece)
      else if (kind === "order") this.order(JSON.parse(body) as Order)
    }
  }

  /** What is known of what a call asks. */
  ask(path: string, what: string, request: Schema.Json): Asked {
    const hash = Json.hash([what, request])
    const first = keyOf({ path, hash })
    const n = this.counts.get(first) ?? 0
    this.counts.set(first, n + 1)
    const question: Question = { path, what, hash, n }
    const key = `${first} ${n}`
    const kept = this.answers.get(key)
    if (kept !== undefined) this.given.add(kept)
    const other = kept === undefined ? this.other?.take(question) : undefined
    return { question, kept, other, pieces: this.pieces.get(key) ?? [] }
  }

  /** Which lanes of a sequence came next, and how many of them in this run. */
  orderOf(key: string): { readonly lanes: ReadonlyArray<number>; readonly own: number } {
    const own = this.orders.get(key) ?? []
    const others = this.other?.orderOf(key) ?? []
    return { lanes: [...own, ...others.slice(own.length)], own: own.length }
  }

  get all(): ReadonlyArray<Answer> {
    return [...this.answers.values()]
  }

  /** The answers that nobody has asked for. */
  get unasked(): ReadonlyArray<Answer> {
    return this.all.filter((answer) => !this.given.has(answer))
  }

  private keep(answer: Answer): void {
    this.answers.set(`${keyOf(answer)} ${answer.n}`, answer)
    if (answer.signal !== undefined) this.signals.add(answer.signal)
  }

  private say(piece: Piece): void {
    const key = `${keyOf(piece)} ${piece.n}`
    const [first] = piece.pieces
    const all = this.pieces.get(key)
    // a response that begins anew begins with nothing
    if (all === undefined || first === null)
      this.pieces.set(
        key,
        piece.pieces.filter((part) => part !== null)
      )
    else all.push(...piece.pieces)
  }

  private order({ key, lane }: Order): void {
    const all = this.orders.get(key)
    if (all === undefined) this.orders.set(key, [lane])
    else all.push(lane)
  }
}

/** What another run was answered. Its agent may have had another name. */
class Other {
  private readonly byPath = new Map<string, Answer>()
  private readonly byNames = new Map<string, Array<Answer>>()
  private readonly taken = new Set<Answer>()
  private readonly orders = new Map<string, ReadonlyArray<number>>()

  constructor(journal: Journal) {
    for (const [key, lanes] of journal.orders) this.orders.set(belowRoot(key), lanes)
    for (const answer of journal.all) {
      if (isFailure(answer)) continue // it is asked anew
      this.byPath.set(pathKeyOf(answer), answer)
      const key = namesKeyOf(answer)
      const all = this.byNames.get(key)
      if (all === undefined) this.byNames.set(key, [answer])
      else all.push(answer)
    }
  }

  orderOf(key: string): ReadonlyArray<number> {
    return this.orders.get(belowRoot(key)) ?? []
  }

  take(question: Question): Answer | undefined {
    const same = this.byPath.get(pathKeyOf(question))
    const isFree = (answer: Answer | undefined) => answer !== undefined && !this.taken.has(answer)
    const found = isFree(same) ? same : this.byNames.get(namesKeyOf(question))?.find(isFree)
    if (found !== undefined) this.taken.add(found)
    return found
  }
}

const isFailure = ({ value, what }: Answer): boolean =>
  what === "model" && typeof value === "object" && value !== null && "error" in value

const keyOf = ({ hash, path }: Pick<Question, "path" | "hash">): string => `${hash} ${path}`

const belowRoot = (path: string): string => path.replace(/^[^/ #]*/, "")

const pathKeyOf = ({ hash, n, path }: Question): string => `${hash} ${belowRoot(path)} ${n}`

/** A path without the numbers of the calls: the names of the agents. */
const namesKeyOf = ({ hash, path }: Question): string => `${hash} ${belowRoot(path).replaceAll(/\/[r\d.]+:/g, "/")}`
