/** What a run was answered and said, by the calls that asked and said it: what it has cost, and how it differs from another. */
import type * as Schema from "effect/Schema"
import type { Answer, Question } from "./journal.ts"
import { folded } from "./recorder.ts"
import type * as Transcript from "../Transcript.ts"
import * as Rows from "./tables.ts"

/** All that is kept of a run, and the answers of the one that it is a rerun of. */
export interface Kept {
  readonly row: Rows.Run
  readonly rows: ReadonlyArray<Rows.LogRow>
  readonly source: ReadonlyArray<Rows.LogRow>
}

export interface Tokens {
  readonly input: number
  readonly output: number
}

export interface Report {
  readonly asked: number
  readonly reused: number
  readonly spent: Tokens
  readonly saved: Tokens
  readonly unused: ReadonlyArray<{ readonly path: string; readonly what: string }>
}

export interface Changed {
  readonly path: string
  readonly left: string | undefined
  readonly right: string | undefined
}

export interface Diff {
  readonly same: ReadonlyArray<string>
  readonly changed: ReadonlyArray<Changed>
  readonly added: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
}

/** An answer without what was answered: all that is kept of it in the end. */
export interface Entry extends Question {
  readonly reused: boolean
  readonly tokens: Tokens
  readonly said: string
}

export const entryOf = ({ hash, n, path, reused, value, what }: Answer): Entry => ({
  ...{ path, what, hash, n, reused: reused === true },
  ...{ tokens: tokensOf(value), said: textOf(value) }
})

const entriesOf = (rows: ReadonlyArray<Rows.LogRow>): ReadonlyArray<Entry> =>
  rows.flatMap(({ body, kind }) => {
    if (kind === "answer") return [entryOf(JSON.parse(body) as Answer)]
    return kind === "call" ? [JSON.parse(body) as Entry] : []
  })

export const report = ({ rows, source }: Kept): Report => {
  const answers = entriesOf(rows)
  const [own, others] = [answers.filter(({ reused }) => !reused), answers.filter(({ reused }) => reused)]
  const left = [...entriesOf(source)]
  for (const { hash, said } of others) {
    const index = left.findIndex((entry) => entry.hash === hash && entry.said === said)
    if (index >= 0) left.splice(index, 1)
  }
  const unasked = rows.flatMap(({ body, kind }) => (kind === "unasked" ? (JSON.parse(body) as Array<Question>) : []))
  const unused = [...unasked, ...left].map(({ path, what }) => ({ path, what }))
  return { asked: own.length, reused: others.length, spent: sumOf(own), saved: sumOf(others), unused }
}

const sumOf = (entries: ReadonlyArray<Entry>): Tokens => {
  const total = { input: 0, output: 0 }
  for (const { tokens } of entries) {
    total.input += tokens.input
    total.output += tokens.output
  }
  return total
}

const tokensOf = (value: Schema.Json): Tokens => {
  const total = { input: 0, output: 0 }
  for (const part of partsOf(value)) {
    if (part.type !== "finish") continue
    const { inputTokens, outputTokens } = part.usage as Usage
    total.input += inputTokens?.total ?? 0
    total.output += outputTokens?.total ?? 0
  }
  return total
}

interface Usage {
  readonly inputTokens?: { readonly total?: number }
  readonly outputTokens?: { readonly total?: number }
}

const partsOf = (value: Schema.Json): ReadonlyArray<Schema.JsonObject> => {
  const { parts } = (value ?? {}) as { readonly parts?: ReadonlyArray<Schema.JsonObject> }
  return Array.isArray(parts) ? parts : []
}

export interface Call {
  readonly path: string
  readonly asked: number
  readonly reused: number
  readonly tokens: Tokens
  readonly said: string | undefined
}

/** The calls of a run, in the order in which they were answered or said something. */
export const calls = (kept: Kept): ReadonlyArray<Call> => {
  const answers = Map.groupBy(entriesOf(kept.rows), callOf)
  return [...textsOf(kept)].map(([path, texts]) => {
    const own = answers.get(path) ?? []
    const reused = own.filter(({ reused }) => reused)
    return { path, asked: own.length - reused.length, reused: reused.length, tokens: sumOf(own), said: texts.at(-1) }
  })
}

/** The path of the call that asked, whichever branch of a race it asked in. */
const callOf = ({ path }: Entry): string => path.replace(/#.*/, "")

/** What the calls of a run were answered and said, in the order of that, by their paths. */
const textsOf = ({ rows }: Kept): ReadonlyMap<string, ReadonlyArray<string>> => {
  const calls = new Map<string, Array<string>>()
  const add = (path: string, text: string) => {
    const all = calls.get(path)
    if (all === undefined) calls.set(path, [text])
    else all.push(text)
  }
  for (const entry of entriesOf(rows)) add(callOf(entry), entry.said)
  const events = folded(Rows.eventsOf(rows))
  let [path, text] = ["", ""]
  for (const event of events) {
    if (event._tag === "open") [path, text] = [pathIn(event), ""]
    else if (event._tag === "text") text += event.text
    else if (event._tag === "message" && path !== "") add(path, text === "" ? JSON.stringify(event.message) : text)
  }
  return calls
}

/** The path of the call of the run that made a message, if one did. */
const pathIn = ({ origin }: Extract<Transcript.Event, { readonly _tag: "open" }>): string =>
  origin === undefined || origin.run !== undefined ? "" : origin.path

/** What an answer says. */
const textOf = (value: Schema.Json): string => {
  const said = partsOf(value).map((part) => {
    if (part.type === "text-deltas") return (part.deltas as ReadonlyArray<string>).join("")
    if (part.type === "text-delta") return part.delta as string
    return part.type === "text" ? (part.text as string) : ""
  })
  const text = said.join("")
  return text === "" ? JSON.stringify(value) : text
}

export const diff = (a: Kept, b: Kept): Diff => {
  const [left, right] = [textsOf(a), textsOf(b)]
  const same: Array<string> = []
  const changed: Array<Changed> = []
  for (const [path, said] of left) {
    const other = right.get(path)
    if (other === undefined) continue
    const index = said.findIndex((text, i) => text !== other[i])
    if (index < 0 && said.length === other.length) same.push(path)
    else {
      const first = index < 0 ? said.length : index
      changed.push({ path, left: said[first], right: other[first] })
    }
  }
  return {
    ...{ same, changed },
    added: [...right.keys()].filter((path) => !left.has(path)),
    removed: [...left.keys()].filter((path) => !right.has(path))
  }
}
