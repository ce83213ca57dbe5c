/** Models that do not keep to strict schemas: null for one optional parameter, another one left out. Each alone is fine; so must both be. */
import * as L from "./lib.ts"
import { Effect, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { LlmAgent } from "miniagents/llm"
const wrong: Array<string> = []
const kit = Toolkit.make(
  Tool.make("forecast", {
    parameters: Schema.Struct({
      city: Schema.String,
      unit: Schema.optionalKey(Schema.String),
      days: Schema.optionalKey(Schema.Int)
    }),
    success: Schema.String
  })
)
for (const [given, wanted] of [
  ['{"city":"Oslo","unit":null,"days":null}', '{"city":"Oslo"}'],
  ['{"city":"Oslo"}', '{"city":"Oslo"}'],
  ['{"city":"Oslo","unit":null}', '{"city":"Oslo"}'],
  ['{"city":"Oslo","days":3}', '{"city":"Oslo","days":3}'],
  ['{"city":"Oslo","unit":null,"days":3,"extra":true}', '{"city":"Oslo","days":3}']
] as const) {
  const got: Array<unknown> = []
  const live = kit.toLayer({
    forecast: (p) =>
      Effect.sync(() => {
        got.push(p)
        return "sun"
      })
  })
  for (const model of ["openai", "anthropic"] as const) {
    got.length = 0
    const server = await L.serve(
      model === "openai"
        ? L.first([
            L.callChunk({ index: 0, id: "a", type: "function", function: { name: "forecast", arguments: given } }),
            L.chunk({}, "tool_calls"),
            L.DONE
          ])
        : (r, _, n) =>
            L.sse(
              r,
              n === 1
                ? L.anthropicReply(
                    [
                      [
                        L.anthropicEvent({
                          type: "content_block_start",
                          index: 0,
                          content_block: { type: "tool_use", id: "t", name: "forecast", input: {} }
                        }),
                        L.anthropicEvent({
                          type: "content_block_delta",
                          index: 0,
                          delta: { type: "input_json_delta", partial_json: given }
                        }),
                        L.anthropicEvent({ type: "content_block_stop", index: 0 })
                      ]
                    ],
                    "tool_use"
                  )
                : L.anthropicReply([L.anthropicText(0, "ok")])
            )
    )
    const exit = await L.run(
      Effect.flatMap(
        (
          LlmAgent.make("A", {
            toolkit: kit,
            model: (model === "openai" ? L.openai(server) : L.anthropic(server)) as any
          } as any) as any
        ).trigger("q"),
        (r: any) => r.messages
      ).pipe(Effect.provide(live)) as any
    )
    if (JSON.stringify(got[0]) !== wanted)
      wrong.push(
        `${model} ${given}: ${got.length ? JSON.stringify(got) : L.short(L.errorOf(exit) ?? L.texts(exit)[1])}`
      )
  }
}
L.verdict("48 optional parameters may be null or left out, each by itself", wrong)
