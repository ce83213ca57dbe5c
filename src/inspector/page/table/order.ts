/** Which rows the table has, and in which order: the tree as it is unfolded, or what a filter leaves of it. */
import { endOf, isOpen, type Model } from "../state/model.ts"
import type { Row } from "../../wire.ts"

/** What rows are shown. */
export interface Filter {
  readonly agent: string
  readonly state: "" | "running" | "failed" | "waiting" | "slow"
}

export const noFilter: Filter = { agent: "", state: "" }

/** A line of the table: a call, or many calls of one agent below the same call. */
export type Line =
  | {
      readonly is: "call"
      readonly key: string
      readonly depth: number
      readonly id: number
      readonly folds: boolean
      readonly dim: boolean
    }
  | {
      readonly is: "group"
      readonly key: string
      readonly depth: number
      readonly agent: string
      readonly ids: ReadonlyArray<number>
      readonly folds: true
      readonly dim: false
    }

/** So many calls of one agent side by side are a group. */
const groupFrom = 12
/** What takes longer than this part of all calls is slow. */
const slowPart = 0.9

export const keyOf = (id: number): string => `c${id}`

/** The lines of the table. A line whose key is in `folded` shows nothing below it. */
export const lines = (model: Model, folded: ReadonlySet<string>, filter: Filter): ReadonlyArray<Line> => {
  const kept = filter.agent === "" && filter.state === "" ? undefined : keptBy(model, filter)
  const made: Array<Line> = []
  const addCalls = (ids: ReadonlyArray<number>, depth: number, below: string): void => {
    const groups = groupsOf(model, ids, kept)
    const done = new Set<string>()
    for (const id of ids) {
      const row = model.rows.get(id)
      if (row === undefined || kept?.has(id) === false) continue
      const group = groups.get(row.agent)
      if (group === undefined) addCall(row, depth)
      else if (!done.has(row.agent)) {
        done.add(row.agent)
        const key = `g${below}/${row.agent}`
        made.push({
          is: "group",
          key,
          depth,
          agent: row.agent,
          ids: group.map(({ id }) => id),
          folds: true,
          dim: false
        })
        if (!folded.has(key)) for (const each of group) addCall(each, depth + 1)
      }
    }
  }
  const addCall = (row: Row, depth: number): void => {
    const children = model.children.get(row.id) ?? []
    const folds = kept === undefined ? children.length > 0 : children.some((child) => kept.has(child))
    const key = keyOf(row.id)
    made.push({ is: "call", key, depth, id: row.id, folds, dim: kept?.get(row.id) === false })
    if (folds && !folded.has(key)) addCalls(children, depth + 1, key)
  }
  addCalls(model.roots, 0, "")
  return made
}

const groupsOf = (
  model: Model,
  ids: ReadonlyArray<number>,
  kept: ReadonlyMap<number, boolean> | undefined
): ReadonlyMap<string, ReadonlyArray<Row>> => {
  const groups = new Map<string, Array<Row>>()
  if (ids.length < groupFrom) return groups
  for (const id of ids) {
    const row = model.rows.get(id)
    if (row === undefined || (kept !== undefined && !kept.has(id))) continue
    const group = groups.get(row.agent)
    if (group === undefined) groups.set(row.agent, [row])
    else group.push(row)
  }
  for (const [agent, group] of groups) if (group.length < groupFrom) groups.delete(agent)
  return groups
}

/** The calls that a filter keeps (`true`), and those that are shown because they lead to one (`false`). */
const keptBy = (model: Model, filter: Filter): ReadonlyMap<number, boolean> => {
  const kept = new Map<number, boolean>()
  const matches = matcher(model, filter)
  for (const row of model.rows.values()) {
    if (!matches(row)) continue
    kept.set(row.id, true)
    for (let up = row.parent; up !== undefined && !kept.has(up); up = model.rows.get(up)?.parent) kept.set(up, false)
  }
  return kept
}

const matcher = (model: Model, { agent, state }: Filter): ((row: Row) => boolean) => {
  const slow = state === "slow" ? slowest(model) : Infinity
  return (row) => {
    if (agent !== "" && row.agent !== agent) return false
    if (state === "running") return isOpen(row)
    if (state === "failed") return row.status === "failed" || row.status === "interrupted"
    if (state === "waiting") return row.waitsFor !== undefined
    if (state === "slow") return timeOf(row, model.now) >= slow
    return true
  }
}

const timeOf = (row: Row, now: number): number => (endOf(row) ?? now) - row.at

const slowest = (model: Model): number => {
  const times = [...model.rows.values()].map((row) => timeOf(row, model.now)).sort((a, b) => a - b)
  return times[Math.floor(times.length * slowPart)] ?? Infinity
}
