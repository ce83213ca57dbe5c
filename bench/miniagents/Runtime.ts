/** Runs a program in a runtime of its own, which is closed before the promise resolves. */
import * as Effect from "effect/Effect"
import { MiniAgents } from "miniagents"

export const run = <A, E>(program: Effect.Effect<A, E, MiniAgents.MiniAgents>): Promise<A> =>
  Effect.runPromise(Effect.provide(program, MiniAgents.layer()))
