/** S8: calls in flight interrupted at once, by interrupting the program that owns the runtime. */
import * as Effect from "effect/Effect"
import { Agent, MiniAgents } from "miniagents"
import type { Case } from "../Case.ts"
import { interrupted, Waiters } from "../floors/Interrupt.ts"

export const calls: Case = (size) => {
  const waiters = new Waiters()
  let started = 0
  const agent = Agent.make("Waiter", () => Effect.suspend(() => waiters.wait(started++)))
  const program = Effect.gen(function* () {
    const replies = yield* Effect.replicateEffect(agent.trigger(), size)
    yield* replies[0]!.messages
  })
  return interrupted(waiters, size, Effect.provide(program, MiniAgents.layer()))
}
