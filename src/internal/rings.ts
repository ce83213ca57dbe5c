/** Rings: sequences that would contain themselves, found when the part is added that would close them. */
import * as Schema from "effect/Schema"
import type { MessagePromise } from "../MessagePromise.ts"
import { inside, isPromise } from "./promise.ts"
import type { Rope } from "./rope.ts"
import { isRope } from "./ropeReader.ts"

type Promise = MessagePromise<unknown>

/**
 * The defect with which a sequence ends that would have to contain itself: agents were wired in a ring, and what they
 * reply would lead back to its own beginning. It names the agents and stands where the ring closes.
 *
 * @since 0.1.0
 * @category errors
 */
export class CircularSequence extends Schema.TaggedError<CircularSequence>()("CircularSequence", {
  agents: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const agents = this.agents.length === 0 ? "a sequence" : `the replies of ${this.agents.join(" <- ")}`
    return `A sequence would contain itself through ${agents}: let one of them read a copy that does not lead back`
  }
}

/** The sequence that a part is or reads from, if any. */
export const readBy = (part: Promise | Rope<Promise>): Rope<Promise> | undefined => {
  let source: unknown = part
  while (isPromise(source)) source = inside(source).source
  return isRope(source as typeof part) ? (source as Rope<Promise>) : undefined // what a promise reads from is a part
}

/** The ropes that lead from one to another as parts of parts, if they do. */
export const ringThrough = (from: Rope<Promise>, to: Rope<Promise>): ReadonlyArray<Rope<Promise>> | undefined => {
  if (from === to) return [from]
  if (!from.nests) return undefined
  const cameFrom = new Map<Rope<Promise>, Rope<Promise> | undefined>([[from, undefined]])
  const pending = [from]
  for (let rope = pending.pop(); rope !== undefined; rope = pending.pop()) {
    for (const part of rope.contents) {
      const read = readBy(part)
      if (read === undefined || cameFrom.has(read)) continue
      cameFrom.set(read, rope)
      if (read === to) return pathTo(read, cameFrom)
      if (read.nests) pending.push(read)
    }
  }
  return undefined
}

const pathTo = (
  end: Rope<Promise>,
  cameFrom: ReadonlyMap<Rope<Promise>, Rope<Promise> | undefined>
): ReadonlyArray<Rope<Promise>> => {
  const path: Array<Rope<Promise>> = []
  for (let rope: Rope<Promise> | undefined = end; rope !== undefined; rope = cameFrom.get(rope)) path.push(rope)
  return path
}
