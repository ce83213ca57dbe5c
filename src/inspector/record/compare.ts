/** Two recordings side by side: which calls are the same, and where those that are not first differ. */
import type * as Recording from "./recording.ts"
import type { Compared, ComparedCall, Difference, Side } from "../wire.ts"

/** Calls are the same by their place, and by the hashes of what they were sent and what they replied. */
export const compare = (left: Recording.Recording, right: Recording.Recording): Compared => {
  const calls: Array<ComparedCall> = []
  const walk = (lefts: ReadonlyArray<number>, rights: ReadonlyArray<number>, depth: number): void => {
    const others = places(right, rights)
    for (const [place, one] of places(left, lefts)) {
      const other = others.get(place)
      others.delete(place)
      if (other === undefined) addOne(one, "removed", depth)
      else addBoth(one, other, depth)
    }
    for (const one of others.values()) addOne(one, "added", depth)
  }
  const addOne = (call: Recording.Call, is: "added" | "removed", depth: number): void => {
    const [recording, side] = is === "added" ? [right, "right"] : [left, "left"]
    calls.push({ is, depth, agent: call.agent, path: call.path, [side]: call.id })
    for (const child of places(recording as Recording.Recording, call.children).values()) addOne(child, is, depth + 1)
  }
  const addBoth = (one: Recording.Call, other: Recording.Call, depth: number): void => {
    const differs = difference(left, one, right, other)
    const is = differs === undefined ? "same" : "changed"
    const ids = { left: one.id, right: other.id }
    calls.push({ is, depth, agent: one.agent, path: one.path, ...ids, ...(differs === undefined ? {} : { differs }) })
    walk(one.children, other.children, depth + 1)
  }
  walk(left.roots, right.roots, 0)
  return { left: sideOf(left), right: sideOf(right), calls }
}

/** Calls by their path; where several have the same, as outermost calls can, the n-th is compared with the n-th. */
const places = (recording: Recording.Recording, ids: ReadonlyArray<number>): Map<string, Recording.Call> => {
  const found = new Map<string, Recording.Call>()
  const counts = new Map<string, number>()
  for (const id of ids) {
    const call = recording.calls[id]
    if (call === undefined) continue
    const n = counts.get(call.path) ?? 0
    counts.set(call.path, n + 1)
    found.set(`${call.path} ${n}`, call)
  }
  return found
}

const difference = (
  left: Recording.Recording,
  one: Recording.Call,
  right: Recording.Recording,
  other: Recording.Call
): Difference | undefined => {
  const [parameters, others] = [JSON.stringify(one.parameters), JSON.stringify(other.parameters)]
  if (parameters !== others) return { where: "parameters", at: 0, left: parameters, right: others }
  for (const where of ["sent", "replied"] as const) {
    const length = Math.max(one[where].length, other[where].length)
    for (let at = 0; at < length; at++) {
      const [a, b] = [left.messages[one[where][at] ?? -1], right.messages[other[where][at] ?? -1]]
      if (a !== undefined && b !== undefined && keyOf(a) === keyOf(b)) continue
      return {
        where,
        at,
        ...(a === undefined ? {} : { left: textOf(a) }),
        ...(b === undefined ? {} : { right: textOf(b) })
      }
    }
  }
  const [end, otherEnd] = [endOf(one), endOf(other)]
  return end === otherEnd ? undefined : { where: "end", at: 0, left: end, right: otherEnd }
}

/** A message that is not whole is what was said of it. */
const keyOf = (message: Recording.Message): string => message.keyed?.hashKey ?? `${message.broken} ${message.text}`

const textOf = ({ known, message, text }: Recording.Message): string =>
  text === "" ? JSON.stringify(message ?? known) : text

const endOf = ({ returned, spoken }: Recording.Call): string => {
  const end = returned?.end.is === "ok" ? spoken?.end : returned?.end
  if (end === undefined) return "not ended"
  return end.is === "failed" ? `${end.failure.error}: ${end.failure.reason}` : end.is
}

const sideOf = ({ calls, now, requests, startedAt, title }: Recording.Recording): Side => {
  let [input, output, cost] = [0, 0, 0]
  for (const request of requests) {
    input += request.usage?.inputTokens ?? 0
    output += request.usage?.outputTokens ?? 0
    cost += request.cost ?? 0
  }
  return { title, startedAt, time: now, calls: calls.length, requests: requests.length, input, output, cost }
}
