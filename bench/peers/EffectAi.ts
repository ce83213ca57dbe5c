/** Bare `effect/ai`: `streamText` of a `LanguageModel.make`; a model call with no agent around it. */
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Adapter } from "../Case.ts"

const usage = { inputTokens: {}, outputTokens: {} }

export const agent: Adapter = (source) => {
  async function* parts() {
    yield { type: "text-start" as const, id: "1" }
    for await (const delta of source()) yield { type: "text-delta" as const, id: "1", delta }
    yield { type: "text-end" as const, id: "1" }
    yield { type: "finish" as const, reason: "stop" as const, usage }
  }
  const model = LanguageModel.make({
    generateText: () => Effect.die("the bench only streams"),
    streamText: () => Stream.orDie(Stream.fromAsyncIterable(parts(), (cause) => cause))
  })
  return (see) =>
    Effect.runPromise(
      Effect.flatMap(model, (model) =>
        Stream.runForEach(model.streamText({ prompt: "go" }), (part) =>
          Effect.sync(() => {
            if (part.type === "text-delta") see(part.delta)
          })
        )
      )
    )
}
