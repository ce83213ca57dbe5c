/** Calls of tools are read while the model writes them: their parameters are the tokens of the `ToolCall`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema, Stream } from "effect"
import { AiError, Tool, Toolkit } from "effect/ai"
import type { MessageSequence } from "miniagents"
import { Message, MiniAgents, Transcript } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent, LlmMessage } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { ScriptedModel } from "miniagents/testing"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"
import * as ResponsesWire from "../openai/Responses.wire.ts"
import * as Loopback from "./Loopback.ts"

const { text, turn } = ScriptedModel

const Parameters = Schema.Struct({ city: Schema.optionalKey(Schema.String), days: Schema.optionalKey(Schema.Int) })
const kit = Toolkit.make(Tool.make("Weather", { parameters: Parameters, success: Schema.String }))
const toolkit = Effect.provide(kit, kit.toLayer({ Weather: () => Effect.succeed("rain") }))
const agent = LlmAgent.make("A", { toolkit })

/** The steps of a call whose parameters come in pieces. */
const written = (pieces: ReadonlyArray<string>, params: unknown, id = "1") =>
  [
    { type: "tool-params-start", id, name: "Weather" },
    ...pieces.map((delta) => ({ type: "tool-params-delta", id, delta })),
    { type: "tool-params-end", id },
    ...(params === undefined ? [] : [{ type: "tool-call", id, name: "Weather", params: params as Schema.Json }])
  ].map((part) => ScriptedModel.malformed(part as Schema.Json))

const run = (...turns: ReadonlyArray<ScriptedModel.Turn>) =>
  Effect.provide([MiniAgents.layer(), ScriptedModel.layer(turns)])

const tokensOf = <E>(promise: Stream.Stream<string, E>) => Stream.runCollect(promise)

describe("a call of a tool that is being written", () => {
  it.effect("can be read before it is whole, and is an aside of its agent", () =>
    Effect.gen(function* () {
      const call = yield* agent.call()
      yield* call.send("Hi")
      const [promise] = yield* Stream.runCollect(Stream.take(yield* call.replies(), 1))
      assert.deepStrictEqual(promise?.known, { _tag: "ToolCall", aside: true, agent: "A", model: "scripted", step: 1 })
      const begun = yield* Stream.runCollect(Stream.take(promise!, 2))
      assert.deepStrictEqual(begun, ["Weather(", '{"ci'])
      yield* call.interrupt
    }).pipe(run(turn(...written(['{"ci'], undefined).slice(0, 2), ScriptedModel.hang)))
  )

  const Pieces = Schema.Struct({
    city: Schema.String,
    indent: Schema.Literals([0, 1]),
    cuts: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })))
  })
  it.effect.prop(
    "has the pieces as its tokens, which make its text, also in another process",
    { calls: Schema.Array(Pieces).check(Schema.isMaxLength(3)) },
    ({ calls }) => {
      const said = calls.map(({ city, cuts, indent }, i) => {
        const json = JSON.stringify({ city: city.toWellFormed() }, null, indent)
        const pieces: Array<string> = []
        let at = 0
        for (const length of cuts) pieces.push(json.slice(at, (at += length)))
        return { id: String(i), json, pieces: [...pieces, json.slice(at)].filter((piece) => piece !== "") }
      })
      return Effect.gen(function* () {
        const replies = yield* agent.trigger("Hi")
        const copied = yield* Transcript.decode(Transcript.encode(replies), { classes: LlmMessage.classes })
        for (const sequence of [replies, copied] as ReadonlyArray<MessageSequence.MessageSequence<unknown>>) {
          const promises = yield* Stream.runCollect(sequence)
          const made = promises.filter(({ known }) => known._tag === "ToolCall")
          assert.lengthOf(made, said.length)
          for (const [i, promise] of made.entries()) {
            const { json, pieces } = said[i]!
            const whole = yield* promise.message
            if (sequence === replies) assert.deepStrictEqual(yield* tokensOf(promise), ["Weather(", ...pieces, ")"])
            assert.strictEqual(yield* Stream.mkString(promise), String(whole))
            assert.strictEqual(String(whole), `Weather(${json})`)
            assert.deepStrictEqual((whole as LlmMessage.ToolCall).parameters, JSON.parse(json))
            assert.strictEqual("written" in whole, JSON.stringify(JSON.parse(json)) !== json)
          }
        }
      }).pipe(
        run(
          ...(said.length === 0
            ? []
            : [turn(...said.flatMap(({ id, json, pieces }) => written(pieces, JSON.parse(json), id)))]),
          turn(text("done"))
        )
      )
    }
  )

  it.effect("that has no pieces is one all the same, and so is one that comes whole", () =>
    Effect.gen(function* () {
      const messages = yield* (yield* agent.trigger("Hi")).messages
      assert.deepStrictEqual(messages.slice(0, 4).map(String), ["Weather({})", "rain", 'Weather({"days":1})', "rain"])
      assert.isFalse(messages.some((message) => "written" in message))
    }).pipe(
      run(turn(...written([], {})), turn(ScriptedModel.toolCall("Weather", { days: 1 }, "2")), turn(text("done")))
    )
  )

  const down = new AiError.InternalProviderError({ description: "down" })
  it.effect("that breaks off carries the failure, after what was written", () =>
    Effect.gen(function* () {
      const messages = yield* (yield* agent.trigger("Hi", {}, { errorsAsMessages: true })).messages
      assert.lengthOf(messages, 2)
      assert.instanceOf(messages[1], Message.Failure)
      assert.deepInclude({ ...(messages[1] as Message.Failure) }, { content: 'Weather({"ci', error: "AiError" })
      const exit = yield* Effect.exit(Stream.runDrain(yield* agent.trigger("Hi")))
      assert.isTrue(Exit.isFailure(exit))
    }).pipe(
      run(
        ScriptedModel.always(
          turn(text("I look"), ...written(['{"ci'], undefined).slice(0, 2), ScriptedModel.fail(down))
        )
      )
    )
  )

  it.effect("that is never made is no call of the next prompt, and nothing waits for it", () =>
    Effect.gen(function* () {
      const messages = yield* (yield* agent.trigger("Hi")).messages
      assert.deepStrictEqual(messages.map(String), ['Weather({"ci)', "Hm"])
      yield* (yield* LlmAgent.make("B").trigger(messages)).messages
      const script = yield* ScriptedModel.ScriptedModel
      assert.strictEqual((yield* script.requests)[1]?.text, "assistant: Hm")
    }).pipe(run(turn(...written(['{"ci'], undefined), text("Hm")), turn(text("ok"))))
  )

  const json = ['{"ci', 'ty": ', '"Köln"}']
  const call = { calls: [{ id: "1", name: "Weather", json }] }
  it.effect.each([
    ["Chat Completions", (url: string) => Layer.provide(OpenAi.model("m"), OpenAi.layer({ baseUrl: url })), OpenAiWire],
    [
      "Responses",
      (url: string) => Layer.provide(OpenAi.model("m", { api: "responses" }), OpenAi.layer({ baseUrl: url })),
      ResponsesWire
    ],
    ["Messages", (url: string) => Layer.provide(Anthropic.model("m"), Anthropic.layer({ baseUrl: url })), AnthropicWire]
  ] as const)("comes as %s has it", ([, layer, wire]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((response, request, count) =>
        Loopback.stream(count === 1 ? wire.whole(call) : wire.whole({ text: ["done"] }))(response, request, count)
      )
      const tokens = yield* Effect.gen(function* () {
        const [promise] = yield* Stream.runCollect(yield* agent.trigger("Hi"))
        return yield* tokensOf(promise!)
      }).pipe(Effect.provide([MiniAgents.layer(), layer(server.url)]))
      assert.deepStrictEqual(tokens, ["Weather(", ...json, ")"])
    })
  )
})
