/** What a model and its tools give is kept with its values: in the messages, in what is stored, and in what is asked next. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, DateTime, Effect, Exit, Option, Schema } from "effect"
import { Prompt, Tool, Toolkit } from "effect/ai"
import { Message, MiniAgents } from "miniagents"
import { LlmAgent, LlmMessage, LlmPrompt } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { text, toolCall, turn } = ScriptedModel

/** A part as a provider would give it. */
const part = (part: Schema.Json) => ScriptedModel.malformed(part)
const requests = Effect.flatMap(ScriptedModel.ScriptedModel, (script) => script.requests)
const provide = (...turns: ReadonlyArray<ScriptedModel.Turn>) =>
  Effect.provide([MiniAgents.layer(), ScriptedModel.layer(turns)])

const codec = Schema.fromJsonString(Message.codec(LlmMessage.classes))
const stored = (messages: ReadonlyArray<Message.Message>) =>
  messages.map((message) => Schema.decodeSync(codec)(Schema.encodeUnknownSync(codec)(message)))
const partsOf = (prompt: Prompt.Prompt): ReadonlyArray<Prompt.Part> =>
  prompt.content.flatMap(({ content }): ReadonlyArray<Prompt.Part> => (typeof content === "string" ? [] : content))

/** A tool that gives a value, and an agent with it. */
const giving = <S extends Schema.Top>(success: S, value: unknown) => {
  const kit = Toolkit.make(Tool.make("Look", { success: success as unknown as Schema.Codec<unknown> }))
  return Effect.map(kit, (toolkit) => LlmAgent.make("A", { toolkit })).pipe(
    Effect.provide(kit.toLayer({ Look: () => Effect.succeed(value) }))
  )
}

const nested: Record<string, unknown> = { a: { list: [] } }
;(nested.a as { list: Array<unknown> }).list.push(nested)

describe("what a tool gives", () => {
  it.effect.each<readonly [string, Schema.Top, unknown, Schema.Json]>([
    ["a date", Schema.Struct({ at: Schema.Date }), { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
    ["a DateTime", Schema.DateTimeUtc, DateTime.makeUnsafe(0), "1970-01-01T00:00:00.000Z"],
    ["a big integer", Schema.BigInt, 2n ** 70n, "1180591620717411303424"],
    ["no number", Schema.Unknown, [Number.NaN, Number.POSITIVE_INFINITY], ["NaN", "Infinity"]],
    [
      "a map",
      Schema.ReadonlyMap(Schema.String, Schema.Date),
      new Map([["a", new Date(0)]]),
      [["a", "1970-01-01T00:00:00.000Z"]]
    ],
    ["a set", Schema.ReadonlySet(Schema.BigInt), new Set([1n]), ["1"]],
    ["bytes", Schema.Uint8Array, new Uint8Array([1, 2, 3]), "AQID"],
    [
      "an option",
      Schema.Option(Schema.Date),
      Option.some(new Date(0)),
      { _tag: "Some", value: "1970-01-01T00:00:00.000Z" }
    ],
    ["an address", Schema.URL, new URL("https://a.b/c"), "https://a.b/c"],
    ["what its schema encodes", Schema.FiniteFromString, 7, "7"],
    ["nothing", Schema.Void, undefined, null],
    [
      "anything, where the schema says no more",
      Schema.Unknown,
      {
        at: new Date(0),
        n: 1n,
        x: Number.NaN,
        m: new Map([["a", new Set([1])]]),
        b: new Uint8Array([1]),
        u: undefined,
        f: () => 1
      },
      { at: "1970-01-01T00:00:00.000Z", n: "1", x: "NaN", m: [["a", [1]]], b: "AQ==" }
    ],
    [
      "an error, where the schema says no more",
      Schema.Unknown,
      { e: new RangeError("far") },
      { e: { name: "RangeError", message: "far" } }
    ],
    ["a value of `Any`", Schema.Any, [new Date(Number.NaN), /a/g, Symbol("s")], ["Invalid Date", "/a/g", "Symbol(s)"]]
  ])("%s reaches the model, the history and the log with its values", ([, schema, value, expected]) =>
    Effect.gen(function* () {
      const agent = yield* giving(schema, value)
      const messages = yield* (yield* agent.trigger("go")).messages
      const [, result] = stored(messages)
      assert.isTrue(result instanceof LlmMessage.ToolResult)
      if (!(result instanceof LlmMessage.ToolResult)) return
      assert.deepStrictEqual(result.result, expected)
      assert.strictEqual(result.hashKey, messages[1]?.hashKey)
      const asked = (yield* requests)[1]
      const given = asked === undefined ? undefined : partsOf(asked.prompt).find((part) => part.type === "tool-result")
      assert.deepStrictEqual(given?.result, expected)
    }).pipe(provide(turn(toolCall("Look", {})), turn(text("done"))))
  )

  it.effect.each<readonly [Schema.Top, unknown, string]>([
    [Schema.Unknown, nested, "result.a.list[0]"],
    [Schema.Any, nested, "result.a.list[0]"],
    [Schema.Unknown, Array.from({ length: 20_000 }).reduce((inner) => [inner], {}), "levels deep"]
  ])("is refused by its path where it contains itself, or is too deep", ([schema, value, said]) =>
    Effect.gen(function* () {
      const agent = yield* giving(schema, value)
      const exit = yield* Effect.exit((yield* agent.trigger("go")).messages)
      assert.isTrue(Exit.isFailure(exit))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, Message.InvalidMessage)
      assert.include(String(error), "`the tool Look`")
      assert.include(String(error), said)
    }).pipe(provide(turn(toolCall("Look", {}))))
  )

  it.effect("shows its model what the tool says in the place of the result, also in later turns", () => {
    const kit = Toolkit.make(
      Tool.make("Draw", {
        success: Schema.String,
        toModelOutput: () => [Prompt.filePart({ mediaType: "image/png", data: new Uint8Array([1, 2, 3]) })]
      })
    )
    return Effect.gen(function* () {
      const replies = yield* (yield* LlmAgent.make("A", { toolkit: kit }).trigger("go")).messages
      const later = LlmPrompt.fromMessages(stored(replies))
      for (const prompt of [(yield* requests)[1]!.prompt, later]) {
        const [given] = partsOf(prompt).filter((part) => part.type === "tool-result")
        assert.deepInclude(given?.modelOutput?.[0], {
          type: "file",
          mediaType: "image/png",
          data: new Uint8Array([1, 2, 3])
        })
      }
    }).pipe(
      provide(turn(toolCall("Draw", {})), turn(text("done"))),
      Effect.provide(kit.toLayer({ Draw: () => Effect.succeed("a picture") }))
    )
  })
})

describe("what a model says", () => {
  const Look = Toolkit.make(
    Tool.make("Look", { success: Schema.String }),
    Tool.make("Add", { parameters: Schema.Struct({ a: Schema.Int }), success: Schema.String })
  )
  const live = Look.toLayer({ Look: () => Effect.succeed("seen"), Add: () => Effect.succeed("added") })
  const agent = LlmAgent.make("A", { toolkit: Look })

  it.effect.each<Schema.Json>(["{'a': 1}", "", "null", '{"a":'])(
    "is told when its parameters are no JSON, and goes on: %j",
    (params) =>
      Effect.gen(function* () {
        const messages = yield* (yield* agent.trigger("go")).messages
        assert.deepStrictEqual(
          messages.map((message) => message._tag),
          ["ToolCall", "ToolResult", "ToolCall", "ToolResult", "Assistant"]
        )
        for (const [name, at] of [
          ["Look", 1],
          ["Add", 3]
        ] as const) {
          const result = messages[at] as LlmMessage.ToolResult
          assert.isTrue(result.isFailure)
          assert.include(String(result), `the parameters of \`${name}\` are no JSON`)
        }
        assert.deepInclude({ ...messages[0] } as object, { parameters: params })
        // what is sent again has the form that providers take
        const [call] = partsOf((yield* requests)[1]!.prompt).filter((part) => part.type === "tool-call")
        assert.deepStrictEqual(call?.params, { INVALID_JSON: params })
      }).pipe(
        provide(turn(toolCall("Look", params), toolCall("Add", params)), turn(text("sorry"))),
        Effect.provide(live)
      )
  )

  const wanted = (n: number) => ({ acme: { signature: `s${n}` } })

  it.effect("what a provider wants back stands on the messages, and goes back now and in later turns", () =>
    Effect.gen(function* () {
      const replies = yield* (yield* agent.trigger("go")).messages
      const [thought, said, call, , answer] = stored(replies)
      assert.deepStrictEqual(
        [thought, said, call]
          .map((message) => ({ ...message }) as { options?: unknown; step?: unknown })
          .map(({ options, step }) => [options, step]),
        [
          [{ acme: { signature: "s1", more: true } }, 1],
          [wanted(2), 1],
          [wanted(3), 1]
        ]
      )
      assert.deepInclude({ ...answer } as object, { step: 2, metadata: { acme: { fingerprint: "f" } } })
      const options = (prompt: Prompt.Prompt) => partsOf(prompt).map((part) => part.options)
      const inRun = options((yield* requests)[1]!.prompt)
      assert.deepStrictEqual(inRun.slice(1, 4), [{ acme: { signature: "s1", more: true } }, wanted(2), wanted(3)])
      const later = LlmPrompt.fromMessages([Message.user("go"), ...stored(replies)])
      assert.deepStrictEqual(options(later).slice(0, inRun.length), inRun)
    }).pipe(
      provide(
        turn(
          part({ type: "reasoning-start", id: "r", metadata: wanted(1) }),
          part({ type: "reasoning-delta", id: "r", delta: "hm" }),
          part({ type: "reasoning-delta", id: "r", delta: "", metadata: { acme: { more: true } } }),
          part({ type: "reasoning-end", id: "r" }),
          part({ type: "text-start", id: "t" }),
          part({ type: "text-delta", id: "t", delta: "let me look" }),
          part({ type: "text-end", id: "t", metadata: wanted(2) }),
          part({ type: "tool-call", id: "c", name: "Look", params: {}, metadata: wanted(3) })
        ),
        turn(
          text("done"),
          ScriptedModel.cutOff,
          part({ type: "text-end", id: "0" }),
          part({
            type: "finish",
            reason: "stop",
            usage: { inputTokens: {}, outputTokens: {} },
            metadata: { acme: { fingerprint: "f" } }
          })
        )
      ),
      Effect.provide(live)
    )
  )

  it.effect("counts the tokens that were cached, written to the cache and thought", () =>
    Effect.gen(function* () {
      const [said] = yield* (yield* LlmAgent.make("A").trigger("go")).messages
      assert.deepInclude({ ...said } as object, {
        usage: { inputTokens: 9, outputTokens: 5, cacheReadTokens: 4, cacheWriteTokens: 2, reasoningTokens: 1 }
      })
    }).pipe(
      provide(
        turn(
          text("x"),
          ScriptedModel.cutOff,
          part({
            type: "finish",
            reason: "stop",
            usage: {
              inputTokens: { total: 9, cacheRead: 4, cacheWrite: 2, uncached: 3 },
              outputTokens: { total: 5, reasoning: 1, text: 4 }
            }
          })
        )
      )
    )
  )

  it.effect("no two calls of a conversation have the same id", () =>
    Effect.gen(function* () {
      const before = [
        new LlmMessage.ToolCall({ id: "call_0", name: "Look", parameters: {} }),
        new LlmMessage.ToolResult({ id: "call_0", name: "Look", result: "old", isFailure: false })
      ]
      const messages = yield* (yield* agent.trigger([...before, "go"])).messages
      const idsOf = (tag: string) =>
        messages.filter((message) => message._tag === tag).map((message) => (message as LlmMessage.ToolCall).id)
      assert.deepStrictEqual(idsOf("ToolCall"), ["call_0_2", "call_0_3", "call_0_4"])
      assert.deepStrictEqual(idsOf("ToolResult"), idsOf("ToolCall"))
      const asked = partsOf((yield* requests)[2]!.prompt)
      const ids = asked.flatMap((part) => (part.type === "tool-call" ? [part.id] : []))
      assert.deepStrictEqual(ids, ["call_0", "call_0_2", "call_0_3", "call_0_4"])
      assert.deepStrictEqual(
        asked.flatMap((part) => (part.type === "tool-result" ? [part.id] : [])),
        ids
      )
    }).pipe(
      provide(
        turn(toolCall("Look", {}, "call_0"), toolCall("Look", {}, "call_0")),
        turn(toolCall("Look", {}, "call_0")),
        turn(text("done"))
      ),
      Effect.provide(live)
    )
  )

  it.effect("what the provider's own tools did is in the replies and goes back, also from a pause", () =>
    Effect.gen(function* () {
      const messages = yield* (yield* agent.trigger("go")).messages
      assert.deepStrictEqual(
        messages.map((message) => message._tag),
        ["ToolCall", "ToolResult", "Assistant", "Assistant"] // the first one says why the response ended
      )
      assert.deepInclude({ ...messages[1] } as object, {
        id: "srv",
        result: "one hit",
        providerExecuted: true,
        options: wanted(1)
      })
      const parts = partsOf((yield* requests)[1]!.prompt)
      assert.deepStrictEqual(
        parts.map((part) => part.type),
        ["text", "tool-call", "tool-result"]
      )
      assert.deepStrictEqual(parts[2]?.options, wanted(1))
    }).pipe(
      provide(
        turn(
          part({ type: "tool-call", id: "srv", name: "Look", params: {}, providerExecuted: true }),
          part({
            type: "tool-result",
            id: "srv",
            name: "Look",
            result: "one hit",
            isFailure: false,
            providerExecuted: true,
            metadata: wanted(1)
          }),
          ScriptedModel.finish("pause")
        ),
        turn(text("one hit"))
      ),
      Effect.provide(live)
    )
  )
})
