/** S4: a tree of agents, four deep and eight wide, whose leaves stream tokens; read at the root in order. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise } from "miniagents"
import type { MessageSequence, MiniAgents } from "miniagents"
import type { Case } from "../Case.ts"
import { read as readTokens } from "../floors/Reads.ts"
import * as Tokens from "../Tokens.ts"
import { run } from "./Runtime.ts"

const width = 8
const perLeaf = 20

type Trigger = Effect.Effect<MessageSequence.MessageSequence, never, MiniAgents.MiniAgents>

/** The agent at the root of a tree that is so deep; `leaf` is triggered at the bottom. */
const tree = (depth: number, leaf: Trigger): Trigger => {
  if (depth === 0) return leaf
  const child = tree(depth - 1, leaf)
  return Agent.make(
    `Branch${depth}`,
    Effect.fnUntraced(function* (ctx) {
      for (let i = 0; i < width; i++) yield* ctx.reply(yield* child)
    })
  ).trigger()
}

/** The last leaf waits until the root has read its first token, so a root that waits for the tree never ends. */
const read = Effect.fnUntraced(function* (depth: number) {
  const leaves = width ** depth
  const seen = yield* Deferred.make<void>()
  let started = 0
  const leaf = Agent.make(
    "Leaf",
    Effect.fnUntraced(function* (ctx) {
      if (++started === leaves) yield* Deferred.await(seen)
      yield* ctx.reply(yield* MessagePromise.fromStream(Tokens.stream(perLeaf)))
    })
  )
  const start = performance.now()
  let [messages, first] = [0, 0]
  const replies = yield* tree(depth, leaf.trigger())
  const arrived = Effect.suspend(() => {
    if (messages++ > 0) return Effect.void
    first = performance.now() - start
    return Deferred.succeed(seen, undefined)
  })
  yield* Stream.runForEach(replies, (promise) => Effect.andThen(readTokens(promise, perLeaf), arrived))
  if (messages !== leaves) throw new Error(`${messages} of ${leaves} leaves came`)
  return { ms: performance.now() - start, facts: { "ms to first leaf": first } }
})

/** The size is in tokens; the gate takes a tree of less depth. */
export const root: Case = (tokens) => run(read(Math.round(Math.log(tokens / perLeaf) / Math.log(width))))
