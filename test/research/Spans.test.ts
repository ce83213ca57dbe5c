import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Agent, MiniAgents } from "miniagents"
import * as Spans from "../../examples/research/Spans.ts"

const inner = Agent.make("Inner", (ctx) => ctx.reply("hello"))
const broken = Agent.make("Broken", () => Effect.fail("no" as const))
const outer = Agent.make(
  "Outer",
  Effect.fnUntraced(function* (ctx) {
    yield* Effect.withSpan(Effect.exit((yield* broken.trigger()).messages), "something between")
    yield* ctx.reply(yield* inner.trigger())
  })
)

it.effect("remembers each call below its caller, with how it ended", () =>
  Effect.gen(function* () {
    const spans = yield* Spans.Spans
    yield* Effect.provide(
      Effect.flatMap(outer.trigger(), ({ messages }) => messages),
      MiniAgents.layer()
    )
    assert.deepStrictEqual(
      (yield* spans.calls).map(({ depth, name, status }) => [depth, name, status]),
      [
        [0, "Outer", "ok"],
        [1, "Broken", "failed"],
        [1, "Inner", "ok"]
      ]
    )
  }).pipe(Effect.provide(Layer.fresh(Spans.layer)))
)
