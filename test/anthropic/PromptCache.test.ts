/** A conversation is kept by Anthropic as far as it can be, and never by a request that it would refuse. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { Message, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent } from "miniagents/llm"
import * as Loopback from "../llm/Loopback.ts"
import * as Wire from "./Anthropic.wire.ts"
import { PromptCache } from "./PromptCache.ts"

const Search = Tool.make("search", { parameters: Schema.Struct({ query: Schema.String }), success: Schema.String })
const tools = Toolkit.make(Search)

/** A fixed sequence of numbers that look random. */
const numbers = (seed: number) => {
  let state = seed
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

const words = (next: (below: number) => number, most: number) =>
  Array.from({ length: 1 + next(most) }, () => ["river", "glass", "seven", "under", "light"][next(5)]).join(" ")

interface Talk {
  readonly turns: number
  readonly system: string
  readonly config?: Anthropic.Config
  readonly minimum?: number
  /** How many tools a response may call. */
  readonly calls?: number
  readonly minutes?: number
  /** Whether the system says something in every other turn. */
  readonly told?: boolean
}

/** A conversation with a model that thinks, speaks and calls tools as it likes. */
const converse = ({ calls = 3, config = {}, minimum = 1024, minutes = 0, system, told = false, turns }: Talk) =>
  Effect.gen(function* () {
    const next = numbers(7)
    const cache = new PromptCache(minimum)
    let id = 0
    const server = yield* Loopback.serve((response, request, count) => {
      const usage = cache.take(request.body)
      const blocks: Array<readonly [object, ...Array<object>]> = []
      if (next(2) === 0) {
        const signature = { type: "signature_delta", signature: "c2ln" }
        blocks.push([
          { type: "thinking", thinking: "" },
          { type: "thinking_delta", thinking: words(next, 60) },
          signature
        ])
      }
      blocks.push([
        { type: "text", text: "" },
        { type: "text_delta", text: words(next, 80) }
      ])
      const called = next(3) === 0 ? 0 : next(calls + 1)
      for (let i = 0; i < called; i++) {
        const call = { type: "tool_use", id: `toolu_${id++}`, name: "search", input: {} }
        blocks.push([call, { type: "input_json_delta", partial_json: JSON.stringify({ query: words(next, 5) }) }])
      }
      const events = [
        Wire.start(usage),
        ...blocks.flatMap(([block, ...deltas], index) => Wire.block(index, block, ...deltas)),
        Wire.finish(called > 0 ? "tool_use" : "end_turn", { output_tokens: 5 }),
        Wire.stop
      ]
      Loopback.stream(events)(response, request, count)
    })
    const model = Layer.provide(
      Anthropic.model("claude-sonnet-5-5", config),
      Anthropic.layer({ apiKey: Redacted.make("key"), baseUrl: server.url })
    )
    const handled = tools.toLayer({ search: () => Effect.succeed(words(next, 200)) })
    const assistant = LlmAgent.make("Assistant", { system, toolkit: tools, maxSteps: 100, model })
    const conversation: Array<Message.Message> = []
    yield* Effect.gen(function* () {
      for (let turn = 0; turn < turns; turn++) {
        if (told && turn % 2 === 1) conversation.push(Message.system(words(next, 40)))
        conversation.push(Message.user(words(next, 40)))
        conversation.push(...(yield* (yield* assistant.trigger(conversation)).messages))
        cache.minute += minutes
      }
    }).pipe(Effect.provide([MiniAgents.layer(), handled]))
    const total = (field: "read" | "readable" | "uncached" | "written") =>
      cache.usages.reduce((sum, usage) => sum + usage[field], 0)
    return { cache, conversation, server, total }
  })

const long = words(numbers(3), 1) + " river".repeat(1500)

describe("a conversation at Anthropic", () => {
  it.live.each([
    ["50 turns with tools", { turns: 50, system: "Be brief" }],
    ["texts for the system in the middle", { turns: 15, system: "Be brief", told: true }],
    ["a long system text", { turns: 10, system: long }],
    ["a model that keeps long prompts alone", { turns: 15, system: "Be brief", minimum: 4096 }],
    ["responses with more calls than the look-back has blocks", { turns: 6, system: "Be brief", calls: 30 }],
    ["a pause after each turn", { turns: 10, system: long, config: { cache: "1h" }, minutes: 20 }]
  ] satisfies ReadonlyArray<readonly [string, Talk]>)(
    "reads 90 % of what can be read, with %s",
    ([, talk]) =>
      Effect.gen(function* () {
        const { cache, total } = yield* converse(talk)
        assert.deepStrictEqual(cache.refusals, [])
        assert.isAbove(cache.usages.length, talk.turns)
        assert.isAbove(total("readable"), 10_000)
        assert.isAtLeast(total("read") / total("readable"), 0.9)
      }),
    60_000
  )

  it.live("has no marks where that is not wanted, and where the prompt has marks of its own", () =>
    Effect.gen(function* () {
      const off = yield* converse({ turns: 3, system: long, config: { cache: "off" } })
      assert.strictEqual(off.total("written"), 0)
      const own = { type: "text" as const, text: long, cache_control: { type: "ephemeral" as const } }
      const { server } = yield* converse({ turns: 3, system: "", config: { system: [own] } })
      for (const { body } of server.received) assert.strictEqual(JSON.stringify(body).split("cache_control").length, 2)
    })
  )

  it.live("is not marked before it is long enough", () =>
    Effect.gen(function* () {
      const { server } = yield* converse({ turns: 1, system: "Be brief", calls: 0 })
      assert.notInclude(JSON.stringify(server.received[0]?.body), "cache_control")
    })
  )

  it.live("has what was read and written in the usage of its messages", () =>
    Effect.gen(function* () {
      const { cache, conversation } = yield* converse({ turns: 2, system: long, calls: 0 })
      const usages = conversation.flatMap((message) => (message instanceof Message.Assistant ? [message.usage] : []))
      assert.deepStrictEqual(
        usages.map((usage) => [usage?.cacheReadTokens, usage?.cacheWriteTokens]),
        cache.usages.map(({ read, written }) => [read, written])
      )
      assert.isAbove(usages[1]?.cacheReadTokens ?? 0, 2000)
    })
  )
})
