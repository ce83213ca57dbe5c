/** Programs of agents as data, made from a seed: the same seed is the same program in every process. */
import { Effect, Layer, Redacted, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { Agent, type MessageInput, type MiniAgents } from "miniagents"
import { Durable } from "miniagents/durable"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"

/** What an agent does. */
export type Node =
  | { readonly does: "ask" | "chain" | "twins" | "tool" | "wait" | "step" | "sleep"; readonly name: string }
  | { readonly does: "all" | "merge" | "race"; readonly name: string; readonly parts: ReadonlyArray<Node> }

/** A sequence of numbers below one that is always the same for a seed. */
export const random = (seed: number): (() => number) => {
  let state = (seed * 2_654_435_761 + 1) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const leaves = ["ask", "chain", "twins", "tool", "wait", "step", "sleep"] as const
const inner = ["all", "merge", "race"] as const

/** A program: a few parts at once, one of which is a merge and one a race. */
export const make = (seed: number): Node => {
  const next = random(seed)
  const pick = <A>(from: ReadonlyArray<A>): A => from[Math.floor(next() * from.length)]!
  let count = 0
  const node = (depth: number): Node => {
    const name = `n${count++}`
    if (depth === 0 || next() < 0.5) return { does: pick(leaves), name }
    return { does: pick(inner), name, parts: Array.from({ length: 2 + Math.floor(next() * 2) }, () => node(depth - 1)) }
  }
  const some = (does: "merge" | "race"): Node => ({ does, name: `n${count++}`, parts: [node(1), node(0), node(0)] })
  return { does: "all", name: "root", parts: [some("merge"), some("race"), node(2), node(0)] }
}

/** What a program waits for. */
export const waitsOf = (node: Node): ReadonlyArray<string> =>
  "parts" in node ? node.parts.flatMap(waitsOf) : node.does === "wait" ? [node.name] : []

const LookUp = Tool.make("LookUp", { parameters: Schema.Struct({ what: Schema.String }), success: Schema.String })
const tools = Toolkit.make(LookUp)

const writer = LlmAgent.make("Writer")
const clerk = LlmAgent.make("Clerk", { toolkit: Durable.toolkit(tools) })

/** What is done outside, where it is counted. */
const outside = (url: string, what: string) =>
  Effect.promise(() => fetch(`${url}/${what}`, { method: "POST" }).then((response) => response.text()))

type Needs = MiniAgents.MiniAgents | Layer.Success<ReturnType<typeof layer>>
type Part = Agent.Agent<{}, never, Needs>

interface Replying {
  readonly reply: (input: MessageInput.MessageInput<unknown>) => Effect.Effect<void>
  readonly replyOutOfOrder: (input: MessageInput.MessageInput<unknown>) => Effect.Effect<void>
}

const agentOf = (node: Node, url: string): Part => {
  const make = (body: (ctx: Replying) => Effect.Effect<void, unknown, Needs>) =>
    Agent.make(node.name, (ctx) => body(ctx as unknown as Replying)) as unknown as Part // what fails shows at the end
  const parts = "parts" in node ? node.parts.map((part) => agentOf(part, url)) : []
  switch (node.does) {
    case "ask":
      return make((ctx) => Effect.flatMap(writer.trigger(`${node.name} asks`), ctx.reply))
    case "chain":
      return make((ctx) =>
        Effect.gen(function* () {
          const first = yield* writer.trigger(`${node.name} begins`)
          yield* ctx.reply(first)
          yield* ctx.reply(yield* writer.trigger([first, "and then?"]))
        })
      )
    case "twins":
      return make((ctx) =>
        Effect.gen(function* () {
          yield* ctx.reply([yield* writer.trigger("twin"), yield* writer.trigger("twin")])
        })
      )
    case "tool":
      return make((ctx) => Effect.flatMap(clerk.trigger(`${node.name} looks up`), ctx.reply))
    case "wait":
      return make((ctx) =>
        Effect.gen(function* () {
          const { by } = yield* Durable.wait(node.name, Schema.Struct({ by: Schema.String }))
          yield* ctx.reply(yield* writer.trigger(`${node.name} by ${by}`))
        })
      )
    case "step":
      return make((ctx) =>
        Effect.flatMap(Durable.step("once", Schema.String, outside(url, `step/${node.name}`)), ctx.reply)
      )
    case "sleep":
      return make((ctx) => Effect.andThen(Durable.sleep("a while", "30 millis"), ctx.reply("slept")))
    case "all":
      return make((ctx) =>
        Effect.gen(function* () {
          const all = yield* Effect.forEach(parts, (part) => part.trigger())
          yield* ctx.reply(all)
          if (node.name === "root") yield* ctx.reply(yield* writer.trigger([all, "sum up"]))
        })
      )
    case "merge":
      return make((ctx) =>
        Effect.gen(function* () {
          for (const part of parts) yield* ctx.replyOutOfOrder(yield* part.trigger())
        })
      )
    case "race":
      return make((ctx) =>
        Effect.gen(function* () {
          const texts = parts.map((part) => Effect.flatMap(part.trigger(), (replies) => replies.text))
          yield* ctx.reply(yield* Durable.race("who", texts as never))
          yield* ctx.reply(yield* writer.trigger(`${node.name} after the race`))
        })
      )
  }
}

export const agent = (seed: number, url: string): Part => agentOf(make(seed), url)

/** The model, over HTTP, and the tools. */
export const layer = (url: string) =>
  Layer.mergeAll(
    OpenAi.model("counted").pipe(
      Durable.model,
      Layer.provide(OpenAi.layer({ apiKey: Redacted.make("none"), baseUrl: `${url}/v1` }))
    ),
    tools.toLayer({ LookUp: ({ what }) => outside(url, `tool/${encodeURIComponent(what)}`) })
  )
