/** The log of requests: a Markdown file each, written while the response streams. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, FileSystem, Layer, PlatformError, Schema } from "effect"
import { AiError, Tool, Toolkit } from "effect/ai"
import { TestClock } from "effect/testing"
import { Agent, MiniAgents } from "miniagents"
import { LlmAgent, LlmLogger } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { text, tokens, turn, usage } = ScriptedModel

/** The files that were written, in memory. */
const memory = () => {
  const files = new Map<string, string>()
  const fs = FileSystem.layerNoop({
    makeDirectory: () => Effect.void,
    writeFileString: (path, content) => Effect.sync(() => void files.set(path, (files.get(path) ?? "") + content))
  })
  return { files, fs }
}

const provide = (fs: Layer.Layer<FileSystem.FileSystem>, turns: ReadonlyArray<ScriptedModel.Turn>, name = "gpt/4:x") =>
  Effect.provide([
    MiniAgents.layer(),
    ScriptedModel.layer(turns, { name }),
    LlmLogger.layer({ folder: "logs/" }).pipe(Layer.provide(fs))
  ])

describe("LlmLogger", () => {
  it.effect("writes the agents, the request, the prompt, the response and what is known of it", () =>
    Effect.gen(function* () {
      const { files, fs } = memory()
      yield* Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2024, 0, 2, 3, 4, 5, 678))
        const poet = LlmAgent.make("Poet", { system: "Rhyme" })
        const outer = Agent.make(
          "Outer",
          Effect.fnUntraced(function* (ctx) {
            yield* ctx.reply(yield* poet.trigger(ctx.messages))
          })
        )
        yield* (yield* outer.trigger("A poem")).messages
      }).pipe(provide(fs, [turn(ScriptedModel.reasoning("hm"), tokens(["Ro", "ses"]), usage(3, 5))]))
      const [[path, content] = []] = [...files]
      assert.match(path ?? "", /^logs\/20240102_030405__678__gpt-4-x__[0-9a-f]{6}\.md$/)
      const line = "=".repeat(40)
      assert.strictEqual(
        content,
        [
          "Poet <- Outer\n",
          '```json\n{\n  "agent": "Poet",\n  "model": "gpt/4:x",\n  "step": 1,\n  "responseFormat": "text"\n}\n```\n',
          `system\n${line}\nRhyme\n`,
          `user\n${line}\nA poem\n`,
          `reasoning / gpt/4:x\n${line}\nhm\n`,
          `assistant / gpt/4:x\n${line}\nRoses\n`,
          `${"-".repeat(40)}\n`,
          '```json\n{\n  "responseId": "gpt/4:x-1",\n  "model": "gpt/4:x",\n  "finishReason": "stop",\n  "usage": {\n    "inputTokens": 3,\n    "outputTokens": 5\n  }\n}\n```\n'
        ].join("\n")
      )
    })
  )

  it.effect("writes while the response streams", () =>
    Effect.gen(function* () {
      const { files, fs } = memory()
      yield* Effect.gen(function* () {
        const replies = yield* LlmAgent.make("A").trigger("go")
        yield* TestClock.adjust("1 minute")
        const [written = ""] = [...files.values()]
        assert.isTrue(written.endsWith("\na"))
        const fiber = yield* Effect.forkChild(replies.messages)
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
      }).pipe(provide(fs, [turn(tokens(["a", "b"], "45 seconds"))]))
    })
  )

  it.effect("a file for each request of a loop, with the calls and their results", () =>
    Effect.gen(function* () {
      const { files, fs } = memory()
      const kit = Toolkit.make(Tool.make("Add", { parameters: Schema.Struct({ a: Schema.Int }), success: Schema.Int }))
      yield* Effect.gen(function* () {
        yield* (yield* LlmAgent.make("A", { toolkit: kit }).trigger("go")).messages
      }).pipe(
        provide(fs, [turn(ScriptedModel.toolCall("Add", { a: 1 })), turn(text("2"))]),
        Effect.provide(kit.toLayer({ Add: ({ a }) => Effect.succeed(a + 1) }))
      )
      const [first = "", second = ""] = [...files.values()]
      assert.lengthOf([...files], 2)
      assert.include(first, 'Add({"a":1})')
      assert.include(second, '"step": 2')
      assert.include(second, "tool\n" + "=".repeat(40) + "\n```json\n2\n```")
    })
  )

  it.effect("says how a response broke off", () =>
    Effect.gen(function* () {
      const { files, fs } = memory()
      yield* Effect.gen(function* () {
        const failed = yield* LlmAgent.make("A").trigger("go")
        yield* Effect.flip(failed.messages)
        const call = yield* LlmAgent.make("A").call()
        yield* call.send("go")
        const replies = yield* call.replies()
        yield* TestClock.adjust("1 minute")
        yield* call.interrupt
        assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(replies.messages)))
      }).pipe(
        provide(fs, [
          turn(text("par"), ScriptedModel.fail(new AiError.InternalProviderError({ description: "overloaded" }))),
          turn(text("par"), ScriptedModel.hang)
        ])
      )
      const [failed = "", interrupted = ""] = [...files.values()]
      assert.include(failed, "par\n\n----")
      assert.include(failed, "overloaded")
      assert.include(interrupted, '"error": "interrupted"')
    })
  )

  it.effect("writes structured output as well", () =>
    Effect.gen(function* () {
      const { files, fs } = memory()
      yield* Effect.gen(function* () {
        const agent = LlmAgent.makeObject("A", { schema: Schema.Struct({ n: Schema.Int }) })
        yield* (yield* agent.trigger("go")).messages
      }).pipe(provide(fs, [turn(text('{"n":1}'))]))
      const [content = ""] = [...files.values()]
      assert.include(content, '"responseFormat": "json"')
      assert.include(content, '{"n":1}')
    })
  )

  it.effect("a log that cannot be written stops no agent", () =>
    Effect.gen(function* () {
      const full = FileSystem.layerNoop({
        makeDirectory: () => Effect.void,
        writeFileString: () =>
          Effect.fail(PlatformError.systemError({ _tag: "WriteZero", module: "FileSystem", method: "write" }))
      })
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* (yield* LlmAgent.make("A").trigger("go")).text, "ok")
      }).pipe(provide(full, [turn(text("ok"))]))
    })
  )
})
