/** S6: many readers of one streaming message, half of them late. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { MessagePromise } from "miniagents"
import type { Case } from "../Case.ts"
import { readChunks } from "../floors/Reads.ts"
import * as Memory from "../Memory.ts"
import * as Tokens from "../Tokens.ts"
import { run } from "./Runtime.ts"

/** The late half starts when the early half has read everything; memory is taken while the message can be read. */
export const readers =
  (count: number): Case =>
  (size) =>
    run(
      Effect.gen(function* () {
        const start = performance.now()
        const promise = yield* MessagePromise.fromStream(Tokens.stream(size))
        const half = Effect.forEach(Array.from({ length: count / 2 }), () => readChunks(promise, size), {
          concurrency: "unbounded",
          discard: true
        })
        yield* Fiber.join(yield* Effect.forkChild(half))
        yield* half
        const ms = performance.now() - start
        const live = Memory.live()
        yield* readChunks(promise, size)
        return { ms, facts: { "live MB": live } }
      })
    )
