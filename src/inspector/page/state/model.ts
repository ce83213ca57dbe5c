/** What the page knows of a run: the rows of its calls as a tree, and the call that is looked at. */
import type { About, Detail, ModelUse, Row, Said, Span, Update } from "../../wire.ts"

/** The call that is looked at, with its messages and spans by number. */
export interface Focus {
  readonly call: number
  detail: Detail | undefined
  readonly messages: Map<number, Said>
  readonly spans: Map<number, Span>
}

/** The run as it is, or as it was at a time. */
export class Model {
  about: About | undefined = undefined
  now = 0
  events = 0
  /** When the last update came, by the clock of the page. */
  received = 0
  readonly rows = new Map<number, Row>()
  readonly children = new Map<number, Array<number>>()
  roots: Array<number> = []
  focus: Focus | undefined = undefined
  /** Grows with every call that is added, so that the order of the rows is made anew only then. */
  shape = 0
  version = 0

  apply(update: Update, at: number): void {
    const { about, all, events, focus, now, rows } = update
    if (all === true) this.clear()
    this.about = about
    this.now = now
    this.events = events
    this.received = at
    for (const row of rows) this.add(row)
    if (focus !== undefined) this.look(focus)
    this.version++
  }

  private clear(): void {
    this.rows.clear()
    this.children.clear()
    this.roots = []
    this.focus = undefined
    this.shape++
  }

  private add(row: Row): void {
    const isNew = !this.rows.has(row.id)
    this.rows.set(row.id, row)
    if (!isNew) return
    this.shape++
    if (row.parent === undefined) this.roots.push(row.id)
    else {
      const siblings = this.children.get(row.parent)
      if (siblings === undefined) this.children.set(row.parent, [row.id])
      else siblings.push(row.id)
    }
  }

  private look({ call, detail, messages, spans }: NonNullable<Update["focus"]>): void {
    const isNew = this.focus?.call !== call
    const focus: Focus = isNew ? { call, detail: undefined, messages: new Map(), spans: new Map() } : this.focus!
    this.focus = focus
    if (detail !== undefined) focus.detail = detail
    for (const span of spans) focus.spans.set(span.span, span)
    for (const said of messages) {
      const before = focus.messages.get(said.at)?.text.slice(0, said.from) ?? ""
      focus.messages.set(said.at, { ...said, from: 0, text: before + said.text })
    }
  }

  /** The call and all above it, the outermost first. */
  lineage(id: number | undefined): ReadonlyArray<Row> {
    const lineage: Array<Row> = []
    for (let row = this.rows.get(id ?? -1); row !== undefined; row = this.rows.get(row.parent ?? -1)) lineage.push(row)
    return lineage.reverse()
  }

  /** A call and all below it. */
  subtree(id: number): ReadonlyArray<Row> {
    const found: Array<Row> = []
    const pending = [id]
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const row = this.rows.get(next)
      if (row !== undefined) found.push(row)
      pending.push(...(this.children.get(next) ?? []))
    }
    return found
  }
}

/** Whether anything of a call still goes on. */
export const isOpen = ({ status }: Row): boolean =>
  status === "running" || status === "speaking" || status === "waiting to start"

/** When a call ended for good; nothing, while it goes on. */
export const endOf = (row: Row): number | undefined =>
  isOpen(row) ? undefined : Math.max(row.returned ?? row.at, row.spoken ?? 0)

/** What calls have cost together. */
export interface Totals {
  calls: number
  open: number
  failed: number
  interrupted: number
  stuck: number
  waiting: number
  chars: number
  requests: number
  input: number
  output: number
  cached: number
  cost: number
  /** The time that their bodies and replies took, added up, in milliseconds. */
  time: number
}

export const totals = (rows: Iterable<Row>, now: number): Totals => {
  const sum: Totals = {
    calls: 0,
    open: 0,
    failed: 0,
    interrupted: 0,
    stuck: 0,
    waiting: 0,
    chars: 0,
    requests: 0,
    input: 0,
    output: 0,
    cached: 0,
    cost: 0,
    time: 0
  }
  for (const row of rows) {
    sum.calls++
    if (isOpen(row)) sum.open++
    if (row.status === "failed") sum.failed++
    if (row.status === "interrupted") sum.interrupted++
    if (row.stuck === true) sum.stuck++
    if (row.waitsFor !== undefined) sum.waiting++
    sum.chars += row.chars
    sum.time += (endOf(row) ?? now) - row.at
    for (const use of row.models) addUse(sum, use)
  }
  return sum
}

const addUse = (sum: Totals, { cached, cost, input, output, requests }: ModelUse): void => {
  sum.requests += requests
  sum.input += input
  sum.output += output
  sum.cached += cached
  sum.cost += cost
}

/** The totals of each agent, or of each model, those that cost most first. */
export const totalsBy = (rows: Iterable<Row>, now: number): ReadonlyArray<{ name: string; rows: Totals }> => {
  const agents = new Map<string, Array<Row>>()
  for (const row of rows) {
    const same = agents.get(row.agent)
    if (same === undefined) agents.set(row.agent, [row])
    else same.push(row)
  }
  return [...agents]
    .map(([name, own]) => ({ name, rows: totals(own, now) }))
    .sort((a, b) => b.rows.cost - a.rows.cost || b.rows.time - a.rows.time)
}

export const models = (rows: Iterable<Row>): ReadonlyArray<ModelUse> => {
  const sums = new Map<string, ModelUse>()
  for (const { models } of rows) {
    for (const use of models) {
      const sum = sums.get(use.model)
      if (sum === undefined) sums.set(use.model, use)
      else {
        sums.set(use.model, {
          model: use.model,
          requests: sum.requests + use.requests,
          running: sum.running + use.running,
          failed: sum.failed + use.failed,
          input: sum.input + use.input,
          output: sum.output + use.output,
          cached: sum.cached + use.cached,
          cost: sum.cost + use.cost
        })
      }
    }
  }
  return [...sums.values()].sort((a, b) => b.cost - a.cost || b.output - a.output)
}
