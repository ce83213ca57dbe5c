/** S13: the library's providers on the official SDKs: an agent, and the same model asked through `effect/ai` alone. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { type Client, type Endpoint, lookup } from "../Case.ts"

const toolkit = Toolkit.make(
  Tool.make("lookup", {
    description: "Looks a word up",
    parameters: Schema.Struct({ word: Schema.String }),
    success: Schema.String
  })
)
const handlers = toolkit.toLayer({ lookup: ({ word }) => Effect.succeed(lookup(word)) })

const model = ({ protocol, url }: Endpoint) =>
  protocol === "openai"
    ? Layer.provide(OpenAi.model("bench"), OpenAi.layer({ baseUrl: url }))
    : Layer.provide(Anthropic.model("bench"), Anthropic.layer({ baseUrl: url }))

const runtime = (endpoint: Endpoint) =>
  ManagedRuntime.make(Layer.mergeAll(model(endpoint), handlers, MiniAgents.layer()))

const collect =
  (see: (token: string) => void, parts: Array<Response.AnyPart>) =>
  (part: Response.AnyPart): Effect.Effect<void> =>
    Effect.sync(() => {
      if (part.type === "text-delta") see(part.delta)
      else if (part.type === "tool-call" || part.type === "tool-result") parts.push(part)
    })

/** `LanguageModel.streamText`, asked again with what the tool gave. */
export const bare: Client = async (endpoint) => {
  const { runPromise } = runtime(endpoint)
  const plain = (see: (token: string) => void) =>
    Stream.runForEach(LanguageModel.streamText({ prompt: "go" }), collect(see, []))
  const withTool = (see: (token: string) => void) =>
    Effect.gen(function* () {
      let prompt = Prompt.make("go")
      for (;;) {
        const parts: Array<Response.AnyPart> = []
        yield* Stream.runForEach(LanguageModel.streamText({ prompt, toolkit }), collect(see, parts))
        if (parts.length === 0) return
        prompt = Prompt.concat(prompt, Prompt.fromResponseParts(parts))
      }
    })
  return (see) => runPromise(endpoint.tool ? withTool(see) : plain(see))
}

export const agent: Client = async (endpoint) => {
  const { runPromise } = runtime(endpoint)
  const answer = endpoint.tool ? LlmAgent.make("Bench", { toolkit }) : LlmAgent.make("Bench")
  return (see) =>
    runPromise(
      Effect.flatMap(answer.trigger("go"), (replies) =>
        Stream.runForEach(replies, (promise) =>
          promise.known._tag === "Assistant"
            ? Stream.runForEach(promise, (token) => Effect.sync(() => see(token)))
            : Effect.void
        )
      )
    )
}
