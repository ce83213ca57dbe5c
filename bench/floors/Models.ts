/** S12: 1,000-token responses of a scripted model, read straight from `effect/ai`. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as LanguageModel from "effect/ai/LanguageModel"
import { ScriptedModel } from "miniagents/testing"
import type { Case } from "../Case.ts"
import * as Tokens from "../Tokens.ts"

/** A model that answers every request with the same 1,000 tokens, one a chunk. */
export const model = ScriptedModel.layer([
  ScriptedModel.always(ScriptedModel.turn(ScriptedModel.tokens(Tokens.take(1000))))
])

const request = Effect.suspend(() => {
  const tally = new Tokens.Tally(1000)
  return LanguageModel.streamText({ prompt: "Write" }).pipe(
    Stream.runForEach((part) => Effect.sync(() => (part.type === "text-delta" ? tally.see(part.delta) : undefined))),
    Effect.tap(() => Effect.sync(() => tally.end()))
  )
})

export const bare: Case = (size) =>
  Effect.runPromise(
    Effect.forEach(Array.from({ length: size }), () => request, { concurrency: "unbounded", discard: true }).pipe(
      Effect.provide(model)
    )
  )
