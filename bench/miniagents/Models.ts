/** S12: agents on a scripted model, all triggered before the first token is read, each read by a fiber of its own. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { LlmAgent } from "miniagents/llm"
import type { Case } from "../Case.ts"
import { model } from "../floors/Models.ts"
import { read } from "../floors/Reads.ts"
import { run } from "./Runtime.ts"

const writer = LlmAgent.make("Writer")

export const agents: Case = (size) =>
  run(
    Effect.gen(function* () {
      const replies = yield* Effect.replicateEffect(writer.trigger("Write"), size)
      yield* Effect.forEach(replies, (sequence) => Stream.runForEach(sequence, (promise) => read(promise, 1000)), {
        concurrency: "unbounded",
        discard: true
      })
    }).pipe(Effect.provide(model))
  )
