/** The agents that the tests of `miniagents cluster` run. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Agent } from "miniagents"

/** It says which process runs it, then hands on what it is sent. */
export class Holder extends Agent.Service<Holder>()("Holder", { parameters: { name: Schema.String } }) {}

export const layer = Holder.toLayer(
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply([`${ctx.parameters.name} ${process.pid}`, ctx.messages])
  })
)
