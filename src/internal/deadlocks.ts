/** Finds the tasks that wait for each other, so that none of them will ever go on. */
import type { Place } from "./place.ts"
import type { Supervisor, Task } from "./task.ts"

/** A call that waits in a ring of calls. */
export interface Stuck {
  readonly place: Place
  readonly waitsFor: Place
  /** Since when, in milliseconds. */
  readonly since: number
}

/**
 * The calls that wait for each other. A task is taken for stuck when its own code waits for a log, and all that could
 * make this log change is stuck too: what waits for anything else, or may be woken by it, is not.
 */
export const find = (supervisor: Supervisor): ReadonlyArray<Stuck> => {
  const waiting = new Map<Task, ReadonlyArray<Task>>()
  for (const task of supervisor.root.subtree(new Set())) {
    if (task.waiting !== undefined) waiting.set(task, task.waiting.log.fillers)
  }
  for (let size = -1; size !== waiting.size;) {
    size = waiting.size
    for (const [task, fillers] of waiting) {
      const isStuck = fillers.length > 0 && fillers.every((filler) => cannotGoOn(filler, waiting))
      if (!isStuck) waiting.delete(task)
    }
  }
  return [...waiting.keys()].flatMap((task) => {
    const filler = waiting.get(task)!.find((filler) => leadsTo(filler, task, waiting))
    if (filler?.place === undefined || task.place === undefined) return []
    return [{ place: task.place, waitsFor: filler.place, since: task.waiting!.since }]
  })
}

const cannotGoOn = (task: Task, waiting: ReadonlyMap<Task, unknown>): boolean =>
  waiting.has(task) && task.helpers.every((helper) => waiting.has(helper))

/** Whether one task waits for another, maybe through others. */
const leadsTo = (from: Task, to: Task, waiting: ReadonlyMap<Task, ReadonlyArray<Task>>): boolean => {
  const seen = new Set<Task>()
  const pending = [from]
  for (let task = pending.pop(); task !== undefined; task = pending.pop()) {
    if (task === to) return true
    if (seen.has(task)) continue
    seen.add(task)
    pending.push(...(waiting.get(task) ?? []))
  }
  return false
}
