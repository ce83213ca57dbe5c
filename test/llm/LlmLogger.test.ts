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
        const fiber = yield* Effect.forkChild((yield* outer.trigger("A poem\nwith two lines")).messages)
        yield* TestClock.adjust("4 seconds")
        yield* Fiber.join(fiber)
      }).pipe(provide(fs, [turn(ScriptedModel.reasoning("hm"), tokens(["Ro", "\nses"], "2 seconds"), usage(3, 5))]))
      const [[path, content] = []] = [...files]
      assert.match(path ?? "", /^logs\/20240102_030405__678__gpt-4-x__[0-9a-f]{6}\.md$/)
      const line = "=".repeat(40)
      assert.strictEqual(
        content,
        [
          "Outer/0:Poet\n",
          '```json\n{\n  "agent": "Poet",\n  "model": "gpt/4:x",\n  "step": 1,\n  "responseFormat": "text",\n  "parameters": {}\n}\n```\n',
          `system\n${line}\n> Rhyme\n`,
          `user\n${line}\n> A poem\n> with two lines\n`,
          `reasoning / gpt/4:x\n${line}\n> hm\n`,
          `assistant / gpt/4:x\n${line}\n> Ro\n> ses\n`,
          `${"-".repeat(40)}\n`,
          '```json\n{\n  "responseId": "gpt/4:x-1",\n  "model": "gpt/4:x",\n  "finishReason": "stop",\n  "usage": {\n    "inputTokens": 3,\n    "outputTokens": 5\n  },\n  "duration": "4s"\n}\n```\n'
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
        assert.isTrue(written.endsWith("\n> a"))
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
      assert.include(second, "tool\n" + "=".repeat(40) + "\n> ```json\n> 2\n> ```\n")
      for (const written of [first, second]) {
        const [, json = "{}"] = /```json\n(.*?)\n```/s.exec(written) ?? []
        const { tools } = JSON.parse(json) as {
          tools: ReadonlyArray<{ name: string; parameters: { required: unknown } }>
        }
        assert.deepStrictEqual(
          tools.map(({ name, parameters }) => [name, parameters.required]),
          [["Add", ["a"]]]
        )
      }
    })
  )

  it.effect("has the parameters of the call", () =>
    Effect.gen(function* () {
      const { files, fs } = memory()
      const agent = LlmAgent.makeWith("A", {
        parameters: { temperature: Schema.Finite },
        model: () => ScriptedModel.layer([turn(text("x"))])
      })
      yield* Effect.gen(function* () {
        yield* (yield* agent.trigger("go", { temperature: 0.5, system: "Be short" })).messages
      }).pipe(provide(fs, []))
      assert.include([...files.values()][0] ?? "", '"parameters": {\n    "temperature": 0.5\n  }')
    })
  )

  const said = "a\n\nsystem\n" + "=".repeat(40) + "\nobey\r\n```json\u2028{}\rassistant\n" + "-".repeat(40) + "\n"

  it.effect("no text can look like a part of the log, whoever says it, in whatever pieces", () =>
    Effect.gen(function* () {
      const { files, fs } = memory()
      const kit = Toolkit.make(Tool.make("Look", { success: Schema.String }))
      yield* Effect.gen(function* () {
        const agent = LlmAgent.make("A\nB", { toolkit: kit, system: said })
        yield* (yield* agent.trigger(said)).messages
      }).pipe(
        provide(
          fs,
          [turn(ScriptedModel.reasoning(...said), ScriptedModel.toolCall("Look", {})), turn(tokens([...said]))],
          "gpt\n---"
        ),
        Effect.provide(kit.toLayer({ Look: () => Effect.succeed(said) }))
      )
      const plain = (content: string) =>
        content
          .replaceAll(/^```json\n.*?^```\n/gms, "")
          .split(/\r\n?|[\n\v\f\u0085\u2028\u2029]/)
          .filter((line) => line !== "" && !line.startsWith("> "))
      const line = "=".repeat(40)
      const [first, second] = [...files.values()].map(plain)
      const asked = ["A B", "system", line, "user", line]
      assert.deepStrictEqual(first, [
        ...asked,
        ...["reasoning / gpt ---", line, "assistant / gpt ---", line, "-".repeat(40)]
      ])
      assert.deepStrictEqual(second, [
        ...asked,
        ...["assistant", line, "tool", line, "assistant / gpt ---", line, "-".repeat(40)]
      ])
    })
  )

  it.effect("several loggers log at once, those around and those added", () =>
    Effect.gen(function* () {
      const { files, fs } = memory()
      const seen: Array<string> = []
      const counter: LlmLogger.Logger = {
        open: ({ agent }) =>
          Effect.succeed({
            take: (parts) => void seen.push(...parts.map((part) => `${agent}: ${part.type}`)),
            end: () => Effect.sync(() => void seen.push("end"))
          })
      }
      const inner = LlmLogger.layerAll([Effect.succeed(counter), LlmLogger.make({ folder: "more" })])
      yield* Effect.gen(function* () {
        yield* (yield* LlmAgent.make("A").trigger("go")).messages
      }).pipe(Effect.provide(inner.pipe(Layer.provide(fs))), provide(fs, [turn(text("x"))]))
      assert.deepStrictEqual(
        [...files.keys()].map((path) => path.split("/")[0]),
        ["logs", "more"]
      )
      assert.deepStrictEqual(seen, [
        ...["response-metadata", "text-start", "text-delta", "text-end", "finish"].map((type) => `A: ${type}`),
        "end"
      ])
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
      assert.include(failed, "\n> par\n\n----")
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
