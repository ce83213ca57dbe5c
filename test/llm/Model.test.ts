/** The contract of models, kept by the providers, over loopback, and by the scripted model alike. */
import { Duration, Effect, Layer, Redacted } from "effect"
import { AiError } from "effect/ai"
import { Anthropic } from "miniagents/anthropic"
import { OpenAi } from "miniagents/openai"
import { Mistral } from "miniagents/providers"
import { Cassette, ScriptedModel } from "miniagents/testing"
import { Folder } from "../agents/Folder.ts"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as Loopback from "./Loopback.ts"
import * as Contract from "./Model.contract.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"
import type { Said, Wire } from "./Wire.contract.ts"

/** A turn as a server says it. */
const handlerOf =
  (wire: Wire, overloaded: string) =>
  (turn: Contract.Turn): Loopback.Handler => {
    const error = { error: { message: "no such luck" } }
    if (turn.refuses === "rate limit") return Loopback.answer(429, error, { "retry-after": "7" })
    if (turn.refuses === "key") return Loopback.answer(401, error)
    const { content, end, finish } = wire.say(saidBy(turn))
    if (turn.ends === "hang") return Loopback.stream(content, "hang")
    if (turn.ends === "overloaded") return Loopback.stream([...content, overloaded])
    return Loopback.stream([...content, ...finish, ...end])
  }

const saidBy = ({ calls = [], reason, reasoning = [], text = [], usage }: Contract.Turn): Said => ({
  reasoning,
  text,
  calls: calls.map(({ id, name, params }) => ({ id, name, json: JSON.stringify(params).split(/(?=:)/) })),
  reason: reason === "content-filter" ? "refused" : (reason ?? "stop"),
  ...(usage !== undefined && { usage })
})

/** A server that says one turn after the other. */
const serve = (handler: (turn: Contract.Turn) => Loopback.Handler, turns: ReadonlyArray<Contract.Turn>) =>
  Loopback.serve((response, request, count) => {
    const turn = turns[count - 1]
    if (turn === undefined) throw new Error(`there is no turn ${count}`)
    handler(turn)(response, request, count)
  })

Contract.suite({
  name: "OpenAI",
  layer: (turns) => {
    const overloaded = `data: ${JSON.stringify({ error: { message: "overloaded", type: "server_error" } })}\n\n`
    return Effect.map(serve(handlerOf(OpenAiWire, overloaded), turns), ({ url }) =>
      OpenAi.model("test-model").pipe(Layer.provide(OpenAi.layer({ baseUrl: `${url}/v1`, apiKey: Redacted.make("k") })))
    )
  }
})

Contract.suite({
  name: "a provider made by `Provider.define`",
  layer: (turns) => {
    const overloaded = `data: ${JSON.stringify({ error: { message: "overloaded", code: 503 } })}\n\n`
    return Effect.map(serve(handlerOf(OpenAiWire, overloaded), turns), ({ url }) =>
      Mistral.model("test-model").pipe(
        Layer.provide(Mistral.layer({ baseUrl: `${url}/v1`, apiKey: Redacted.make("k") }))
      )
    )
  }
})

Contract.suite({
  name: "Anthropic",
  layer: (turns) => {
    const overloaded = AnthropicWire.event("error", { error: { type: "overloaded_error", message: "overloaded" } })
    return Effect.map(serve(handlerOf(AnthropicWire, overloaded), turns), ({ url }) =>
      Anthropic.model("test-model").pipe(Layer.provide(Anthropic.layer({ baseUrl: url, apiKey: Redacted.make("k") })))
    )
  }
})

Contract.suite({
  name: "a script",
  layer: (turns) => Effect.succeed(ScriptedModel.layer(turns.map(scripted), { name: "test-model" }))
})

Contract.suite({
  name: "a cassette that records",
  layer: (turns) => {
    const model = ScriptedModel.layer(turns.map(scripted), { name: "test-model" })
    const recorded = Effect.map(Folder, (folder) => Cassette.layer({ folder, mode: "auto" })(model))
    return Effect.succeed(Layer.provide(Layer.unwrap(recorded), Folder.layer))
  }
})

const scripted = (turn: Contract.Turn): ScriptedModel.Turn => {
  const { fail, finish, hang, reasoning, tokens, toolCall, turn: make, usage } = ScriptedModel
  if (turn.refuses === "rate limit") {
    return make(fail(new AiError.RateLimitError({ retryAfter: Duration.seconds(7) })))
  }
  if (turn.refuses === "key") return make(fail(new AiError.AuthenticationError({ kind: "InvalidKey" })))
  return make(
    ...(turn.reasoning === undefined ? [] : [reasoning(...turn.reasoning)]),
    ...(turn.text === undefined ? [] : [tokens(turn.text)]),
    ...(turn.calls ?? []).map(({ id, name, params }) => toolCall(name, params, id)),
    ...(turn.usage === undefined ? [] : [usage(...turn.usage)]),
    ...(turn.reason === undefined ? [] : [finish(turn.reason)]),
    ...(turn.ends === "hang" ? [hang] : []),
    ...(turn.ends === "overloaded" ? [fail(new AiError.InternalProviderError({ description: "overloaded" }))] : [])
  )
}
