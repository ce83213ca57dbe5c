/** S6: many readers of one stream, half of them late, by `Stream.broadcast` with replay. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { Case } from "../Case.ts"
import * as Memory from "../Memory.ts"
import * as Tokens from "../Tokens.ts"
import { readChunks } from "./Reads.ts"

/** The late half starts when the early half has read everything; memory is taken while the stream can be replayed. */
export const readers =
  (count: number): Case =>
  (size) =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const start = performance.now()
          const tokens = yield* Stream.broadcast(Tokens.stream(size), { capacity: "unbounded", replay: Infinity })
          const half = Effect.forEach(Array.from({ length: count / 2 }), () => readChunks(tokens, size), {
            concurrency: "unbounded",
            discard: true
          })
          yield* Fiber.join(yield* Effect.forkChild(half))
          yield* half
          return { ms: performance.now() - start, facts: { "live MB": Memory.live() } }
        })
      )
    )
