/** What tests of durable runs have in common: a model that counts, and a tree of agents that does a bit of everything. */

import { Context, Effect, Layer, Schema, Stream } from "effect"
import { LanguageModel, type Prompt, type Response, Tool, Toolkit } from "effect/ai"
import { Agent } from "miniagents"
import { Durable } from "miniagents/durable"
import { LlmAgent } from "miniagents/llm"

/** What the outside was asked, beyond all restarts. */
export class World {
  /** How often each request was begun, and how often it came to its end. */
  readonly begun: Array<string> = []
  readonly ended: Array<string> = []
  /** How often each tool ran, and each step. */
  readonly tools: Array<string> = []
  readonly steps: Array<string> = []
}

export class TheWorld extends Context.Service<TheWorld, World>()("TheWorld") {}

const textOf = (prompt: Prompt.Prompt): string =>
  prompt.content
    .map((message) =>
      typeof message.content === "string"
        ? message.content
        : message.content.map((part) => ("text" in part ? part.text : part.type)).join()
    )
    .join("|")

/** Says something about what it was asked, in five tokens, and calls a tool where it is told to. */
export const model = Layer.effect(
  LanguageModel.LanguageModel,
  Effect.gen(function* () {
    const world = yield* TheWorld
    const partsOf = (prompt: Prompt.Prompt, tools: ReadonlyArray<Tool.Any>): Array<Response.StreamPartEncoded> => {
      const asked = textOf(prompt)
      const last = prompt.content.at(-1)
      const finish = (reason: "stop" | "tool-calls"): Response.StreamPartEncoded => ({
        ...{ type: "finish", reason, response: undefined },
        usage: {
          inputTokens: { total: asked.length, uncached: undefined, cacheRead: undefined, cacheWrite: undefined },
          outputTokens: { total: 5, text: undefined, reasoning: undefined }
        }
      })
      if (tools.length > 0 && last?.role === "user") {
        const call = (name: string) => ({ type: "tool-call", id: `${name}-1`, name, params: { what: asked } }) as const
        return [...tools.map(({ name }) => call(name)), finish("tool-calls")]
      }
      let hash = 7
      for (const char of asked) hash = (hash * 31 + char.charCodeAt(0)) % 100_003
      const words = [`about(${asked.slice(-40)})`, " is", ` ${hash}`, " it", " said."]
      return [
        { type: "text-start", id: "1" },
        ...words.map((delta) => ({ type: "text-delta", id: "1", delta }) as const),
        { type: "text-end", id: "1" },
        finish("stop")
      ]
    }
    return yield* LanguageModel.make({
      generateText: ({ prompt }) =>
        Effect.gen(function* () {
          world.begun.push(textOf(prompt))
          yield* Effect.yieldNow
          world.ended.push(textOf(prompt))
          return [{ type: "text", text: JSON.stringify({ score: textOf(prompt).length }) }]
        }),
      streamText: ({ prompt, tools }) =>
        Stream.fromIterable(partsOf(prompt, tools)).pipe(
          Stream.rechunk(1),
          Stream.tap((part) =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.sync(() => part.type === "finish" && world.ended.push(textOf(prompt)))
            )
          ),
          Stream.onStart(Effect.sync(() => void world.begun.push(textOf(prompt))))
        )
    })
  })
)

export const lookUp = Tool.make("LookUp", {
  parameters: Schema.Struct({ what: Schema.String }),
  success: Schema.String
})

export const tools = Toolkit.make(lookUp)
export const toolsLive = tools.toLayer(
  Effect.gen(function* () {
    const world = yield* TheWorld
    return {
      LookUp: ({ what }) =>
        Effect.gen(function* () {
          yield* Effect.yieldNow
          world.tools.push(what)
          return `found ${what.length}`
        })
    }
  })
)

const Score = Schema.Struct({ score: Schema.Int })

export const writer = LlmAgent.make("Writer")
const scorer = LlmAgent.makeObject("Scorer", { schema: Score })
const clerk = LlmAgent.make("Clerk", { toolkit: Durable.toolkit(tools) })

/** Asks, and asks again about the answer. */
const twice = Agent.make(
  "Twice",
  Effect.fnUntraced(function* (ctx) {
    const first = yield* writer.trigger(ctx.messages)
    yield* ctx.reply(first)
    yield* ctx.reply(yield* writer.trigger(["and then", first]))
  })
)

const stepping = Agent.make(
  "Stepping",
  Effect.fnUntraced(function* (ctx) {
    const world = yield* TheWorld
    const once = (name: string) =>
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => world.steps.push(name))
      )
    const first = yield* Durable.step("one", Schema.Int, once("one"))
    yield* Durable.sleep("a while", "1 minute")
    const won = yield* Durable.race("who", [
      Effect.andThen(Effect.yieldNow, Effect.succeed("left")),
      Effect.andThen(Effect.yieldNow, Effect.succeed("right"))
    ])
    yield* ctx.reply(`step ${first > 0}, ${won === "left" || won === "right"}, ${won}`)
  })
)

const approving = Agent.make(
  "Approving",
  Effect.fnUntraced(function* (ctx) {
    const { by } = yield* Durable.wait("approval", Schema.Struct({ by: Schema.String }))
    yield* ctx.reply(yield* writer.trigger(`approved by ${by}`))
  })
)

/** Parallel twins, a chain, a tool, an object, a merge, a race, a timer, and a wait. */
export const everything = Agent.make(
  "Everything",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply([
      yield* writer.trigger("twin"),
      yield* writer.trigger("twin"),
      yield* twice.trigger(ctx.messages),
      yield* clerk.trigger("look it up"),
      yield* scorer.trigger("score it"),
      yield* stepping.trigger(),
      yield* approving.trigger()
    ])
    const merged = Agent.make(
      "Merged",
      Effect.fnUntraced(function* (inner) {
        for (const word of ["a", "b", "c"]) yield* inner.replyOutOfOrder(yield* twice.trigger(word))
        yield* inner.reply("in order")
        yield* inner.replyOutOfOrder("at once")
      })
    )
    const order = yield* merged.trigger()
    yield* ctx.reply(order)
    yield* ctx.reply(yield* writer.trigger(["summary of", order]))
  })
)
