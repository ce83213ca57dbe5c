/** Images and files on their way to models and back, against servers that take what the real ones take. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Equal, FileSystem, Layer, Schema } from "effect"
import { AiError, LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import { Agent, Message, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { AgentTool, LlmAgent, LlmLogger, LlmMessage } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { Conversation, Store } from "miniagents/store"
import { ScriptedModel } from "miniagents/testing"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"
import * as ResponsesWire from "../openai/Responses.wire.ts"
import * as Loopback from "./Loopback.ts"
import * as Rules from "./Rules.ts"

const { text, toolCall, turn } = ScriptedModel

const png = "iVBORw0KGgo="
const photo = Message.image(`data:image/png;base64,${png}`, { fileName: "river.png" })
const linked = Message.image("https://example.org/linked")
const pdf = Message.file("data:application/pdf;base64,JVBERi0xLjc=", { fileName: "report.pdf" })
const page = Message.file("https://example.org/page.pdf")
const notes = Message.file("data:text/plain,Gr%C3%BC%C3%9Fe", { fileName: "notes.txt" })
const sheet = Message.file(new Uint8Array([1]), { fileName: "a.xlsx", mediaType: "application/vnd.ms-excel" })

const protocols = [
  {
    name: "Chat Completions",
    rules: Rules.chat,
    layer: (url: string) => Layer.provide(OpenAi.model("m"), OpenAi.layer({ baseUrl: url })),
    events: OpenAiWire.whole({ text: ["ok"] }),
    call: OpenAiWire.whole({ calls: [{ id: "1", name: "Shot", json: ["{}"] }] }),
    /** Files of which the protocol has no place. */
    refuses: [sheet, page]
  },
  {
    name: "Responses",
    rules: Rules.responses,
    layer: (url: string) => Layer.provide(OpenAi.model("m", { api: "responses" }), OpenAi.layer({ baseUrl: url })),
    events: ResponsesWire.whole({ text: ["ok"] }),
    call: ResponsesWire.whole({ calls: [{ id: "1", name: "Shot", json: ["{}"] }] }),
    refuses: [sheet]
  },
  {
    name: "Messages",
    rules: Rules.messages,
    layer: (url: string) => Layer.provide(Anthropic.model("m"), Anthropic.layer({ baseUrl: url })),
    events: AnthropicWire.whole({ text: ["ok"] }),
    call: AnthropicWire.whole({ calls: [{ id: "1", name: "Shot", json: ["{}"] }] }),
    refuses: [sheet]
  }
] as const

/** All that stands in a body for a file. */
const marks = new Map<Message.File, string>([
  [photo, png],
  [linked, "https://example.org/linked"],
  [pdf, "JVBERi0xLjc="],
  [notes, "Grüße"]
])

const failing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.isTrue(AiError.isAiError(error), String(error))
    return (error as unknown as AiError.AiError).reason
  })

describe.each(protocols)("$name", ({ call, events, layer, name, refuses, rules }) => {
  const ask = (messages: ReadonlyArray<Message.Message>) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Rules.answering(rules, events))
      const replies = Effect.flatMap(LlmAgent.make("A").trigger(messages), ({ text }) => text)
      const said = yield* Effect.provide(replies, [MiniAgents.layer(), layer(server.url)])
      assert.strictEqual(said, "ok")
      return JSON.stringify(server.received[0]?.body)
    })

  const by: Record<string, (file: Message.File) => ReadonlyArray<Message.Message>> = {
    "on their own": (file: Message.File) => [Message.user("Look"), file],
    "said by the user": (file: Message.File) => [Message.user(["Look", file, "What is it?"])],
    "made by the assistant": (file: Message.File) => [
      Message.user("Draw"),
      Message.assistant(["Here", file, "it is"]),
      Message.user("Better")
    ],
    "made by the assistant and nothing else": (file: Message.File) => [Message.user("Draw"), Message.assistant([file])],
    "given by a tool": (file: Message.File) => [
      Message.user("Shoot"),
      new LlmMessage.ToolCall({ id: "1", name: "Shot", parameters: {} }),
      new LlmMessage.ToolResult({
        id: "1",
        name: "Shot",
        result: "done",
        isFailure: false,
        output: [
          { type: "text", text: "done" },
          { type: "file", mediaType: file.mediaType, data: `sha256:${file.hashKey}` }
        ],
        files: [file]
      })
    ]
  }

  for (const [how, conversation] of Object.entries(by)) {
    it.effect(`takes files ${how}`, () =>
      Effect.gen(function* () {
        for (const [file, mark] of marks) assert.include(yield* ask(conversation(file)), mark, String(file))
      })
    )
  }

  it.effect("takes the files in the fields of any message", () =>
    Effect.gen(function* () {
      class Sighting extends Message.Class<Sighting>()("Sighting", { where: Schema.String, photo: Message.File }) {}
      const body = yield* ask([new Sighting({ where: "Elbe", photo })])
      assert.include(body, "Elbe")
      assert.strictEqual(body.split(png).length, 2)
    })
  )

  it.effect.prop(
    "takes any conversation with files in it, and all of them",
    {
      said: Schema.Array(Schema.Struct({ how: Schema.Literals(Object.keys(by)), file: Schema.Literals([0, 1, 2, 3]) }))
    },
    ({ said }) =>
      Effect.gen(function* () {
        const all = [...marks]
        const messages = said.flatMap(({ file, how }) => by[how]!(all[file]![0]))
        const body = yield* ask([Message.user("Go"), ...messages])
        for (const { file } of said) assert.include(body, all[file]![1])
      }).pipe(Effect.scoped)
  )

  it.effect("a file that the protocol has no place for is a typed error that names it, before any request", () =>
    Effect.gen(function* () {
      for (const file of refuses) {
        const reason = yield* failing(ask([Message.user(["Look", file])]))
        assert.strictEqual(reason._tag, "InvalidUserInputError")
        assert.include(String(reason), file.fileName ?? file.href)
        assert.include(String(reason), name)
      }
    })
  )

  it.effect.each([
    [400, "Invalid content type. image_url is only supported by certain models."],
    [404, "No endpoints found that support image input"],
    [400, "m is not a multimodal model"],
    [400, "Failed to deserialize the JSON body: messages[0]: unknown variant `image_url`, expected `text`"],
    [400, "'messages.0.content' must be a string"],
    [500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"],
    [400, "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum"]
  ] as const)("a model that takes none (%i, %s) is a typed error that names the file", ([status, message]) =>
    Effect.gen(function* () {
      const refuse = Loopback.answer(status, { type: "error", error: { type: null, message } })
      const server = yield* Loopback.serve(refuse)
      const ask = (prompt: Prompt.RawInput) =>
        failing(Effect.provide(LanguageModel.generateText({ prompt }), layer(server.url)))
      const content = [
        Prompt.textPart({ text: "a" }),
        Prompt.filePart({ mediaType: "image/png", fileName: "river.png", data: png })
      ]
      const reason = yield* ask([{ role: "user", content }])
      assert.strictEqual(reason._tag, "InvalidUserInputError")
      assert.include(String(reason), "`river.png` (`image/png`)")
      assert.include(String(reason), message.slice(0, 30))
      assert.isFalse(reason.isRetryable)
      assert.notStrictEqual((yield* ask("no files"))._tag, "InvalidUserInputError")
    })
  )

  it.effect("shows its model the image that a tool gave, and the replies and the history have it once", () =>
    Effect.gen(function* () {
      const Shot = Tool.make("Shot", {
        success: Schema.String,
        toModelOutput: () => [Prompt.textPart({ text: "done" }), Prompt.filePart({ mediaType: "image/png", data: png })]
      })
      const kit = Toolkit.make(Shot)
      const server = yield* Loopback.serve((response, request, count) =>
        count === 1
          ? Loopback.stream(call)(response, request, count)
          : Rules.answering(rules, events)(response, request, count)
      )
      const agent = LlmAgent.make("A", {
        toolkit: Effect.provide(kit, kit.toLayer({ Shot: () => Effect.succeed("x") }))
      })
      const messages = yield* Effect.flatMap(agent.trigger("Shoot"), ({ messages }) => messages).pipe(
        Effect.provide([MiniAgents.layer(), layer(server.url)])
      )
      const result = messages.find((message) => message instanceof LlmMessage.ToolResult)
      assert.deepStrictEqual(
        result?.files?.map(({ href }) => href),
        [`data:image/png;base64,${png}`]
      )
      assert.notInclude(JSON.stringify(result?.output), png)
      assert.include(JSON.stringify(server.received[1]?.body), png)
    })
  )
})

describe("images that a model makes", () => {
  const painted = [
    [
      "a delta of images",
      OpenAi.model("m"),
      [
        OpenAiWire.chunk({ images: [{ type: "image_url", image_url: { url: photo.href } }] }),
        ...OpenAiWire.whole({ usage: [1, 2] })
      ]
    ],
    [
      "a piece of content",
      OpenAi.model("m"),
      [
        OpenAiWire.chunk({ content: [{ type: "image_url", image_url: photo.href }] }),
        ...OpenAiWire.whole({ usage: [1, 2] })
      ]
    ],
    [
      "an item of the Responses API",
      OpenAi.model("m", { api: "responses" }),
      [
        ResponsesWire.created(),
        ResponsesWire.item("added", 0, {
          type: "image_generation_call",
          id: "ig_1",
          status: "in_progress",
          result: null
        }),
        ResponsesWire.item("done", 0, {
          type: "image_generation_call",
          id: "ig_1",
          status: "completed",
          result: png,
          output_format: "png"
        }),
        ResponsesWire.completed({ usage: { input_tokens: 1, output_tokens: 2 } })
      ]
    ]
  ] as const

  it.effect.each(painted)("come as a message of the assistant, from %s, and go back", ([, model, events]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((response, request, count) => {
        const rules = String(request.url).endsWith("/responses") ? Rules.responses : Rules.chat
        Rules.answering(rules, events)(response, request, count)
      })
      const painter = LlmAgent.make("Painter")
      yield* Effect.gen(function* () {
        const messages = yield* (yield* painter.trigger("Draw")).messages
        const message = messages.at(-1) as Message.Assistant
        assert.instanceOf(message, Message.Assistant)
        assert.deepStrictEqual([message?.agent, message?.usage], ["Painter", { inputTokens: 1, outputTokens: 2 }])
        const [image] = message?.parts ?? []
        assert.isTrue(image instanceof Message.File && image.href === photo.href)
        yield* (yield* painter.trigger([Message.user("Draw"), ...messages, Message.user("Again")])).messages
        assert.lengthOf(JSON.stringify(server.received[1]?.body).split(png), 2, "once")
      }).pipe(Effect.provide([MiniAgents.layer(), Layer.provide(model, OpenAi.layer({ baseUrl: server.url }))]))
    })
  )

  it.effect("are the result of the tool that made them, where a tool of the provider's own did", () =>
    Effect.gen(function* () {
      const [, , drawn] = painted
      const failed = { type: "image_generation_call", id: "ig_2", status: "failed", result: null, size: "1024x1024" }
      const server = yield* Loopback.serve(
        Loopback.stream([drawn[2][0], ResponsesWire.item("done", 0, failed), ...drawn[2].slice(1)])
      )
      const connected = Layer.provide(drawn[1], OpenAi.layer({ baseUrl: server.url }))
      const replies = yield* LlmAgent.make("Painter", { model: connected }).trigger("Draw")
      const messages = yield* replies.messages
      assert.deepStrictEqual(
        messages.map(({ _tag }) => _tag),
        ["ToolCall", "ToolResult", "ToolCall", "ToolResult", "Assistant"]
      )
      const image = Message.image(`data:image/png;base64,${png}`)
      const [, without, call, result, said] = messages
      assert.deepInclude({ ...call } as object, { id: "ig_1", name: "image_generation", providerExecuted: true })
      assert.deepInclude({ ...result } as object, {
        id: "ig_1",
        isFailure: false,
        files: [image],
        result: String(image)
      })
      assert.deepInclude({ ...without } as object, { id: "ig_2", isFailure: true, result: "failed" })
      // what was drawn is said as well
      assert.strictEqual(String(said), String(image))
      assert.strictEqual(yield* replies.text, String(image))
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("stand between texts, and the last message has what is known at the end", () =>
    Effect.gen(function* () {
      const turns = [
        turn(text("Here"), ScriptedModel.file("image/png", png), text("it is"), ScriptedModel.usage(1, 2)),
        turn(text("Here"), ScriptedModel.file("image/png", png), ScriptedModel.usage(3, 4))
      ]
      yield* Effect.gen(function* () {
        for (const [expected, outputTokens] of [
          [["Here", `![image/png](sha256:${Message.image(`data:image/png;base64,${png}`).hashKey})`, "it is"], 2],
          [["Here", `![image/png](sha256:${Message.image(`data:image/png;base64,${png}`).hashKey})`], 4]
        ] as const) {
          const replies = yield* LlmAgent.make("A").trigger("Draw")
          const messages = yield* replies.messages
          assert.deepStrictEqual(messages.map(String), [...expected])
          assert.strictEqual(yield* replies.text, expected.join("\n\n"))
          assert.deepStrictEqual(
            messages.map((message) => (message as Message.Assistant).usage?.outputTokens),
            messages.map((_, i) => (i === messages.length - 1 ? outputTokens : undefined))
          )
        }
      }).pipe(Effect.provide([MiniAgents.layer(), ScriptedModel.layer(turns)]))
    })
  )
})

describe("images that an agent replies with", () => {
  it.effect("are shown to the model that called it as a tool", () =>
    Effect.gen(function* () {
      const painter = Agent.make("Painter", (ctx) => ctx.reply(["Here it is", photo]))
      const agent = LlmAgent.make("A", { toolkit: AgentTool.toolkit(AgentTool.make(painter)) })
      const messages = yield* (yield* agent.trigger("Draw")).messages
      const result = messages.find((message) => message instanceof LlmMessage.ToolResult)
      assert.deepStrictEqual(result?.files, [photo])
      const script = yield* ScriptedModel.ScriptedModel
      const [, asked] = yield* script.requests
      const shown = asked?.prompt.content.at(-1)?.content[0]
      assert.isTrue(typeof shown === "object" && shown.type === "tool-result")
      if (typeof shown !== "object" || shown.type !== "tool-result") return
      assert.deepStrictEqual(
        shown.modelOutput?.map((part) => (part.type === "file" ? part.data : part.text)),
        [`Here it is\n\n${photo}`, photo.bytes!]
      )
    }).pipe(
      Effect.provide([
        MiniAgents.layer(),
        ScriptedModel.layer([turn(toolCall("Painter", { message: "x" })), turn(text("done"))])
      ])
    )
  )
})

describe("what is kept of files", () => {
  it.effect("their bytes are kept once, whoever says them, under whatever name and however often", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(100_000).map((_, i) => (i * 7919) % 251)
      const image = Message.image(bytes, { mediaType: "image/png" })
      const named = Message.image(bytes, { mediaType: "image/png", fileName: "named.png" })
      const said = [image, Message.user(["a", image]), Message.assistant([image]), Message.user([named, "b"])]
      yield* Conversation.append("c", said)
      const again = yield* Conversation.messages("c")
      assert.deepStrictEqual(again.map(String), said.map(String))
      assert.isTrue(Equal.equals((again[1] as Message.User).parts?.[1], image))
      // three messages, two texts, two files, and what is in both of these
      assert.deepInclude(yield* Store.verify, { objects: 8, damaged: [] })
    }).pipe(Effect.provide(Store.layerMemory))
  )
})

describe("the log of a model", () => {
  it.effect("shows files by name, type and size or address, and none of their bytes", () =>
    Effect.gen(function* () {
      const files: Array<string> = []
      const fs = FileSystem.layerNoop({
        makeDirectory: () => Effect.void,
        writeFileString: (_, content) => Effect.sync(() => void files.push(content))
      })
      const replies = LlmAgent.make("A").trigger([Message.user(["Look", photo]), linked])
      yield* Effect.flatMap(replies, ({ messages }) => messages).pipe(
        Effect.provide([
          ScriptedModel.layer([turn(ScriptedModel.file("image/png", png))]),
          LlmLogger.layer({ folder: "logs" }).pipe(Layer.provide(fs))
        ])
      )
      const log = files.join("")
      for (const shown of [
        "> Look\n> \n> [river.png, image/png, 8 bytes]",
        "[image/*, https://example.org/linked]",
        "[image/png, 8 bytes]"
      ]) {
        assert.include(log, shown)
      }
      assert.notInclude(log, png)
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})
