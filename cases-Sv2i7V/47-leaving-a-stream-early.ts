/** Who leaves a model's stream early closes the connection, and is not billed for the rest. */
import * as L from "./lib.ts"
import { Effect, Stream } from "effect"
import { LanguageModel } from "effect/ai"
const server = await L.serve((r) => {
  L.sse(r, [L.chunk({ content: "a" })], false)
  const more = setInterval(() => r.write(L.chunk({ content: "b" })), 20)
  r.on("close", () => clearInterval(more))
})
const exit = await L.run(
  Effect.gen(function* () {
    yield* Stream.runDrain(
      Stream.take(
        Stream.filter(LanguageModel.streamText({ prompt: "hi" }), (p) => p.type === "text-delta"),
        2
      )
    )
    yield* Effect.sleep(300)
  }).pipe(Effect.provide(L.openai(server)))
)
L.verdict("47 leaving early closes the connection", [
  L.errorOf(exit) !== undefined && L.short(L.errorOf(exit)),
  server.closed.length !== 1 && "the connection stays open"
])
