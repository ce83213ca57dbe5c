import { assert, describe, it } from "@effect/vitest"
import { isToolUIPart, lastAssistantMessageIsCompleteWithApprovalResponses, type UIMessage } from "ai"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, Message, MessagePromise } from "miniagents"
import { Runs } from "miniagents/runs"
import { AiSdk } from "miniagents/serve"
import { deleter, manager, researcher } from "./Assistant.ts"
import { Chat } from "./Chat.ts"
import { blocks, cutting, post, serve } from "./Server.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {}

const echo = Agent.make("Echo", { parameters: { mark: Schema.optionalKey(Schema.String) } }, (ctx) =>
  ctx.reply([ctx.messages, ctx.parameters.mark ?? "."])
)
const silent = Agent.make("Silent", (ctx) => Effect.andThen(ctx.reply("here"), Effect.never))
const failing = Agent.make("Failing", (ctx) => Effect.andThen(ctx.reply("well"), new Refused({ by: "Ann" })))
const broken = Agent.make("Broken", () => Effect.die(new Error("postgres://me:secret@db")))
const long = Agent.make(
  "Long",
  Effect.fnUntraced(function* (ctx) {
    for (let i = 0; i < 50; i++) {
      const words = Stream.rechunk(Stream.fromIterable([`part ${i} `, "😀"]), 1)
      yield* ctx.reply(yield* MessagePromise.fromStream(Stream.tap(words, () => Effect.yieldNow)))
      yield* ctx.reply(Message.data({ i }))
    }
  })
)

const routes = Layer.mergeAll(
  AiSdk.layer("/echo", echo, { parameters: ["mark"] }),
  AiSdk.layer("/plain", echo, { accepts: [Message.User, Message.System] }),
  AiSdk.layer("/silent", silent),
  AiSdk.layer("/bound", silent, { resumable: false }),
  AiSdk.layer("/failing", failing),
  AiSdk.layer("/broken", broken),
  AiSdk.layer("/long", long),
  AiSdk.layer("/researcher", researcher),
  AiSdk.layer("/deleter", deleter),
  AiSdk.layer("/manager", manager)
)

const from = <A>(promise: () => Promise<A>) => Effect.promise(promise)

const textOf = (message: UIMessage) => message.parts.map((part) => (part.type === "text" ? part.text : "")).join("")

/** What a page shows of a message, in short. */
const parts = (message: UIMessage) =>
  message.parts.flatMap((part) =>
    part.type === "step-start"
      ? []
      : isToolUIPart(part)
        ? [`${part.type} ${part.toolCallId} ${part.state}`]
        : "text" in part
          ? [`${part.type} ${part.text}`]
          : [part.type]
  )

const user = (text: string, id = "u1") => ({ id, role: "user", parts: [{ type: "text", text }] })

describe("AiSdk over HTTP", () => {
  it.live("a chat shows the thoughts, the tools and the agents inside, and sends them back with the next turn", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const chat = new Chat(`${url}/researcher`)
      yield* from(() => chat.sendMessage({ text: "Where?" }))
      assert.strictEqual(chat.status, "ready", chat.error?.message)
      assert.deepStrictEqual(parts(chat.messages[1]), [
        "reasoning let me see",
        "text One moment. ",
        "tool-Searcher call-1 output-available",
        "reasoning page one",
        "text It is page one"
      ])
      const inside = chat.messages[1].parts.find((part) => part.type === "reasoning" && part.text === "page one")
      assert.deepStrictEqual((inside as { providerMetadata?: unknown }).providerMetadata, {
        miniagents: { agent: "Searcher", path: "Researcher/0:Searcher", call: "call-1", aside: true }
      })
      const { usage } = chat.messages[1].metadata as { usage: { totalTokens: number } }
      assert.strictEqual(usage.totalTokens, 47)
      yield* from(() => chat.sendMessage({ text: "And now?" }))
      assert.strictEqual(chat.status, "ready", chat.error?.message)
      assert.strictEqual(chat.messages.length, 4)
      assert.notStrictEqual(chat.messages[1].id, chat.messages[3].id)
    })
  )

  it.live("the agent gets the conversation: what was said, the calls and their results, not what was only shown", () =>
    Effect.gen(function* () {
      const got: Array<ReadonlyArray<string>> = []
      const spy = Agent.make(
        "Spy",
        Effect.fnUntraced(function* (ctx) {
          got.push((yield* ctx.messages.messages).map((message) => `${message._tag} ${message}`))
        })
      )
      const { url } = yield* serve(Layer.mergeAll(routes, AiSdk.layer("/spy", spy)))
      const chat = new Chat(`${url}/researcher`)
      yield* from(() => chat.sendMessage({ text: "Where?" }))
      const next = new Chat(`${url}/spy`)
      next.messages = chat.messages
      const place = { type: "data-Data", data: { at: "the desk" } } as const
      yield* from(() => next.sendMessage({ parts: [{ type: "text", text: "And now?" }, place] }))
      assert.deepStrictEqual(got, [
        [
          "User Where?",
          "Reasoning let me see",
          "Assistant One moment. ",
          'ToolCall Searcher({"message":"pages"})',
          "ToolResult page one",
          "Assistant It is page one",
          "User And now?",
          `Data ${Message.data(place.data)}`
        ]
      ])
    })
  )

  it.live("a file that a page sends is a part of what was said, comes back to the page, and from there again", () =>
    Effect.gen(function* () {
      const got: Array<ReadonlyArray<Message.Message>> = []
      const mirror = Agent.make(
        "Mirror",
        Effect.fnUntraced(function* (ctx) {
          const messages = yield* ctx.messages.messages
          got.push(messages)
          yield* ctx.reply(["Look:", messages.at(-1)!, Message.file("https://example.org/a.pdf")])
        })
      )
      const { url } = yield* serve(AiSdk.layer("/mirror", mirror))
      const chat = new Chat(`${url}/mirror`)
      const image = {
        type: "file",
        mediaType: "image/png",
        filename: "a.png",
        url: "data:image/png;base64,aGk="
      } as const
      yield* from(() => chat.sendMessage({ text: "What is this?", files: [image] }))
      assert.strictEqual(chat.status, "ready", chat.error?.message)
      const file = Message.image(image.url, { fileName: "a.png" })
      assert.deepStrictEqual(got[0], [Message.user([file, "What is this?"])])
      const { parts } = chat.messages[1]
      const shown = parts.flatMap((part) => (part.type === "file" ? [`${part.mediaType} ${part.url}`] : []))
      assert.deepStrictEqual(shown, [`image/png ${image.url}`, "application/pdf https://example.org/a.pdf"])
      yield* from(() => chat.sendMessage({ text: "And now?" }))
      assert.strictEqual(chat.status, "ready", chat.error?.message)
      const files = got[1].flatMap(Message.nested).filter((inside) => inside instanceof Message.File)
      assert.deepStrictEqual(files, [file, file, Message.file("https://example.org/a.pdf")])
      const refused = new Chat(`${url}/mirror`)
      yield* from(() => refused.sendMessage({ text: "x", files: [{ ...image, url: "file:///etc/passwd" }] }))
      assert.include(refused.error?.message, "by its `https` address")
    })
  )

  for (const approved of [true, false]) {
    it.live(`a chat that asks for approval goes on when it was ${approved ? "given" : "denied"}`, () =>
      Effect.gen(function* () {
        const { context, url } = yield* serve(routes)
        const chat = new Chat(`${url}/deleter`, {
          sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses
        })
        yield* from(() => chat.sendMessage({ text: "Delete all" }))
        for (const path of ["a", "b"]) {
          const part = chat.messages[1].parts.find(
            (part) => isToolUIPart(part) && part.state === "approval-requested"
          ) as { toolCallId: string; approval: { id: string } }
          assert.strictEqual(part.toolCallId, `delete-${path}`)
          yield* from(async () => {
            await chat.addToolApprovalResponse({ id: part.approval.id, approved, reason: "so be it" })
            while (chat.status !== "ready") await new Promise((resolve) => setImmediate(resolve))
          })
          assert.strictEqual(chat.error, undefined)
        }
        const state = approved ? "output-available" : "output-denied"
        const shown = [`tool-DeleteFile delete-a ${state}`, `tool-DeleteFile delete-b ${state}`, "text done"]
        assert.strictEqual(chat.messages.length, 2)
        assert.deepStrictEqual(parts(chat.messages[1]), shown)
        // a page that comes back is told the same, and nothing twice
        const other = new Chat(`${url}/deleter`)
        yield* from(() => other.resumeStream())
        assert.deepStrictEqual(other.messages[0].parts, chat.messages[1].parts)
        assert.strictEqual((yield* Effect.provideContext(Runs.list, context)).length, 1)
      })
    )
  }

  it.live("an agent inside of a call asks for approval too", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const chat = new Chat(`${url}/manager`, {
        sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses
      })
      yield* from(() => chat.sendMessage({ text: "Clean up" }))
      const part = chat.messages[1].parts.find((part) => isToolUIPart(part) && part.state === "approval-requested")
      yield* from(async () => {
        await chat.addToolApprovalResponse({ id: (part as { approval: { id: string } }).approval.id, approved: true })
        while (chat.status !== "ready") await new Promise((resolve) => setImmediate(resolve))
      })
      assert.deepStrictEqual(parts(chat.messages[1]), [
        "tool-Cleaner call-1 output-available",
        "tool-DeleteFile delete-c output-available",
        "reasoning done",
        "text all clean"
      ])
    })
  )

  it.live(
    "a page that was cut off after any event shows the same when it has come back, and nothing twice",
    () =>
      Effect.gen(function* () {
        const { url } = yield* serve(routes)
        const whole = new Chat(`${url}/long`)
        yield* from(() => whole.sendMessage({ text: "go" }))
        assert.strictEqual(whole.status, "ready", whole.error?.message)
        const all = yield* from(() => replay(`${url}/long/chat-1/stream`))
        assert.isAbove(all.length, 180)
        // all of them read one run while it goes on
        const going = yield* from(() => post(`${url}/long`, { id: "cut", messages: [user("go")] }))
        const cutAfter = async (most: number) => {
          const had = await replay(`${url}/long/cut/stream`, most)
          const again = await replay(`${url}/long/cut/stream`)
          assert.isTrue(joined(again).startsWith(joined(had).slice(0, -2)), `cut after ${most}`)
          assert.strictEqual(joined(again.slice(1)), joined(all.slice(1)))
        }
        yield* from(() => Promise.all(all.map((_, i) => cutAfter(i + 1))))
        yield* from(() => going.text())
        for (let most = 1; most < all.length; most += 60) {
          const chat = new Chat(`${url}/long`, { id: `page-${most}` }, cutting(most))
          yield* from(() => chat.sendMessage({ text: "go" }))
          assert.strictEqual(chat.status, "error")
          yield* from(() => chat.resumeStream())
          assert.strictEqual(chat.messages.length, 2)
          assert.deepStrictEqual(chat.messages[1].parts, whole.messages[1].parts, `cut after ${most}`)
        }
      }),
    60_000
  )

  it.live("leaving is not stopping, unless the server says so; and a chat that nobody started cannot be resumed", () =>
    Effect.gen(function* () {
      const { context, url } = yield* serve(routes)
      const start = async (path: string, id: string) => {
        const response = await post(`${url}${path}`, { id, messages: [user("go")] })
        for await (const block of blocks(response)) if (block.includes("text-delta")) break
      }
      yield* from(() => start("/silent", "kept"))
      yield* from(() => start("/bound", "left"))
      const status = (chat: string) =>
        Effect.map(
          Effect.provideContext(Runs.list, context),
          (all) => all.find(({ id }) => id.startsWith(`${chat}/`))?.status
        )
      while ((yield* status("left")) === "running") yield* Effect.yieldNow
      assert.strictEqual(yield* status("left"), "interrupted")
      assert.strictEqual(yield* status("kept"), "running")
      const stop = yield* from(() => post(`${url}/silent/kept/stop`, {}))
      assert.strictEqual(stop.status, 204)
      assert.strictEqual(yield* status("kept"), "interrupted")
      const chat = new Chat(`${url}/silent`, { id: "kept" })
      yield* from(() => chat.resumeStream())
      assert.strictEqual(textOf(chat.messages[0]), "here")
      for (const id of ["nobody", "kept/", "kep", "/", "%00", "a/b"]) {
        const none = yield* from(() => fetch(`${url}/silent/${encodeURIComponent(id)}/stream`))
        assert.strictEqual(none.status, 204, id)
      }
    })
  )

  it.live("a failure is told with its text, a defect without", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const failed = new Chat(`${url}/failing`)
      yield* from(() => failed.sendMessage({ text: "go" }))
      assert.strictEqual(failed.error?.message, 'Refused: by: "Ann"')
      assert.strictEqual(textOf(failed.messages[1]), "well")
      const died = new Chat(`${url}/broken`)
      yield* from(() => died.sendMessage({ text: "go" }))
      assert.match(String(died.error?.message), /^internal error \([\w-]+\)$/)
    })
  )

  it.live.each<readonly [string, string, unknown, number, string]>([
    ["no JSON", "/echo", "{", 400, "no JSON"],
    ["nothing", "/echo", {}, 400, "`id`"],
    ["an id that is too long", "/echo", { id: "x".repeat(129), messages: [] }, 400, "`id`"],
    ["no messages", "/echo", { id: "c" }, 400, "`messages`"],
    ["a message without parts", "/echo", { id: "c", messages: [{ role: "user" }] }, 400, "`messages[0]`"],
    ["a role that there is not", "/echo", { id: "c", messages: [{ role: "root", parts: [] }] }, 400, "role"],
    [
      "an instruction from the page",
      "/echo",
      { id: "c", messages: [{ role: "system", parts: [{ type: "text", text: "x" }] }] },
      400,
      "`System`"
    ],
    [
      "a class that is not accepted",
      "/echo",
      { id: "c", messages: [{ role: "user", parts: [{ type: "data-Failure", data: {} }] }] },
      400,
      "`Failure`"
    ],
    [
      "a text that is none",
      "/echo",
      { id: "c", messages: [{ role: "user", parts: [{ type: "text", text: 7 }] }] },
      400,
      "`content` got `7`"
    ],
    [
      "a parameter of the wrong type",
      "/echo",
      { id: "c", messages: [], parameters: { mark: 7 } },
      400,
      "`mark` got `7`"
    ],
    [
      "a parameter that a page cannot set",
      "/plain",
      { id: "c", messages: [], parameters: { mark: "!" } },
      400,
      "`mark`"
    ],
    ["a reply of the page's own", "/echo", { id: "c", messages: [{ role: "assistant", parts: [] }] }, 400, "assistant"],
    [
      "an answer to nobody",
      "/echo",
      {
        id: "c",
        messages: [
          {
            role: "assistant",
            parts: [
              { type: "tool-x", toolCallId: "1", state: "approval-responded", approval: { id: "1", approved: true } }
            ]
          }
        ]
      },
      409,
      "no longer there"
    ]
  ])("%s is refused before anything runs", ([_, path, body, status, sentence]) =>
    Effect.gen(function* () {
      const { context, url } = yield* serve(routes)
      const response = yield* from(() => post(`${url}${path}`, body))
      const { error } = (yield* from(() => response.json())) as { error: { code: string; message: string } }
      assert.strictEqual(response.status, status)
      assert.include(error.message, sentence)
      assert.deepStrictEqual(yield* Effect.provideContext(Runs.list, context), [])
    })
  )

  it.live("what the server lets a page set, it sets", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const chat = new Chat(`${url}/echo`)
      yield* from(() => chat.sendMessage({ text: "hi" }, { body: { parameters: { mark: "!" } } }))
      assert.strictEqual(textOf(chat.messages[1]), "hi!")
    })
  )

  it.live("a chat of another agent is not to be seen", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      yield* from(async () => (await post(`${url}/echo`, { id: "c", messages: [user("mine")] })).text())
      assert.strictEqual((yield* from(() => fetch(`${url}/silent/c/stream`))).status, 204)
      assert.strictEqual((yield* from(() => fetch(`${url}/echo/c/stream`))).status, 200)
    })
  )
})

/** The chunks of a response, up to so many: then its reader leaves. */
const replay = async (url: string, most = Infinity): Promise<ReadonlyArray<string>> => {
  const chunks: Array<string> = []
  for await (const block of blocks(await fetch(url))) {
    if (!block.startsWith(":") && chunks.push(block) === most) break
  }
  return chunks
}
/** All chunks as one text, whatever the pieces that texts came in. */
const joined = (chunks: ReadonlyArray<string>): string =>
  chunks.join("\n").replaceAll(/"\}\ndata: \{"type":"text-delta","id":"m\d+","delta":"/g, "")
