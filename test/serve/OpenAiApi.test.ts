/** Agents as OpenAI's models over HTTP, asked by OpenAI's own client and by that of the AI SDK. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { Agent, Message, MessagePromise } from "miniagents"
import { LlmAgent, LlmMessage } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { OpenAiApi } from "miniagents/serve"
import { ScriptedModel } from "miniagents/testing"
import OpenAI, { APIError } from "openai"
import type { ResponseStreamEvent } from "openai/resources/responses/responses"
import { type Options, post, serve } from "./Server.ts"

const { always, reasoning, text, tokens, toolCall, turn, usage, when } = ScriptedModel

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {}

const Weather = Toolkit.make(Tool.make("Weather", { success: Schema.String }))
const WeatherLive = Weather.toLayer({ Weather: () => Effect.succeed("rain") })

const assistant = LlmAgent.make("Assistant", {
  toolkit: Weather,
  model: ScriptedModel.layer([
    turn(reasoning("let me ", "see"), text("I look."), toolCall("Weather", {}), usage(10, 2)),
    turn(tokens(["Take an ", "umbrella."]), usage(20, 3))
  ])
})
/** Asks the client's tool first, and says what the model was given then. */
const guide = LlmAgent.make("Guide", {
  model: ScriptedModel.layer([
    always(when(turn(text("You are in Oslo.")), (request) => JSON.stringify(request.prompt).includes("59.9"))),
    always(turn(toolCall("locate", { exact: true }, "call_1")))
  ])
})
const echo = Agent.make("Echo", { parameters: { maxTokens: Schema.optionalKey(Schema.Int) } }, (ctx) =>
  ctx.reply([ctx.messages, Message.data({ maxTokens: ctx.parameters.maxTokens ?? null })])
)
let failures = 0
const failing = Agent.make(
  "Failing",
  Effect.fnUntraced(function* (ctx) {
    failures++
    yield* ctx.reply("so far")
    return yield* new Refused({ by: "Ann" })
  })
)
const broken = Agent.make("Broken", () => Effect.die(new Error("postgres://me:secret@db")))
const silent = Agent.make("Silent", (ctx) => Effect.andThen(ctx.reply("here"), Effect.never))
const talker = Agent.make(
  "Talker",
  Effect.fnUntraced(function* (ctx) {
    for (const part of ["one", "two", "three", "four"]) {
      const pieces = Stream.rechunk(Stream.fromIterable(Array.from({ length: 50 }, (_, i) => `${part}${i} 😀`)), 1)
      yield* ctx.reply(yield* MessagePromise.fromStream(Stream.tap(pieces, () => Effect.yieldNow)))
    }
  })
)

const agents = { assistant, guide, echo, failing, broken, silent, talker, "org/echo:1": echo.fork() }
const routes = Layer.mergeAll(
  OpenAiApi.layer(agents).pipe(Layer.provide(WeatherLive)),
  OpenAiApi.layer({ echo, guide }, { path: "/open", instructions: true, parameters: ["maxTokens"], tools: true })
)

const from = <A>(promise: () => Promise<A>) => Effect.promise(promise)

const asked = (options?: Options, path = "/v1", apiKey = "none") =>
  Effect.map(serve(routes, options), (served) => ({
    ...served,
    client: new OpenAI({ apiKey, baseURL: `${served.url}${path}` })
  }))

const user = (content: string) => ({ role: "user", content }) as const
const collect = async <A>(all: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const found: Array<A> = []
  for await (const each of all) found.push(each)
  return found
}

/** What the client throws. */
const thrown = (promise: () => Promise<unknown>) =>
  from(async () => {
    try {
      await promise()
    } catch (error) {
      if (error instanceof APIError) return error
      throw error
    }
    throw new Error("nothing was thrown")
  })

/** The events of a response, joined where a text was cut, so that they can be compared. */
const texts = (events: ReadonlyArray<ResponseStreamEvent>) =>
  events.flatMap((event) => (event.type === "response.output_text.delta" ? [event.delta] : [])).join("")

const status = (id: string) => Effect.map(Runs.get(id), (info) => info.status)

describe("OpenAiApi", () => {
  it.live("lists its agents as models", () =>
    Effect.gen(function* () {
      const { client } = yield* asked()
      const listed = yield* from(() => collect(client.models.list()))
      assert.deepStrictEqual(
        listed.map(({ id }) => id),
        Object.keys(agents)
      )
      assert.strictEqual((yield* from(() => client.models.retrieve("org/echo:1"))).id, "org/echo:1")
      assert.strictEqual((yield* thrown(() => client.models.retrieve("nobody"))).status, 404)
    })
  )

  it.live("chat completions: as a whole, as a stream and by the client's helper, the same with what it cost", () =>
    Effect.gen(function* () {
      const { client } = yield* asked()
      const request = { model: "assistant", messages: [user("Umbrella?")] }
      const whole = yield* from(() => client.chat.completions.create(request))
      const { message } = whole.choices[0]
      assert.strictEqual(message.content, "I look.\n\nTake an umbrella.")
      assert.deepInclude({ ...message } as object, { reasoning_content: "let me see" })
      assert.deepInclude(whole.usage, { prompt_tokens: 30, completion_tokens: 5, total_tokens: 35 })
      const streamed = { ...request, stream: true, stream_options: { include_usage: true } } as const
      const chunks = yield* from(async () => collect(await client.chat.completions.create(streamed)))
      assert.deepStrictEqual(chunks.at(-1)?.usage, whole.usage)
      assert.strictEqual(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), message.content)
      const helped = yield* from(() => client.chat.completions.stream(request).finalChatCompletion())
      assert.deepStrictEqual(helped.choices[0].message.content, message.content)
    })
  )

  it.live("a tool of the client: it is asked for, and its result goes on", () =>
    Effect.gen(function* () {
      const { client } = yield* asked({}, "/open")
      const locate = { name: "locate", parameters: { type: "object", properties: {} } }
      const tools = [{ type: "function", function: locate } as const]
      const first = yield* from(() =>
        client.chat.completions.create({ model: "guide", messages: [user("Where?")], tools })
      )
      const [{ finish_reason, message }] = first.choices
      assert.strictEqual(finish_reason, "tool_calls")
      const [call] = message.tool_calls!
      assert.deepInclude(call, { type: "function", function: { name: "locate", arguments: '{"exact":true}' } })
      const result = { role: "tool", tool_call_id: call.id, content: "59.9, 10.7" } as const
      const messages = [user("Where?"), message, result]
      const second = yield* from(() => client.chat.completions.create({ model: "guide", messages, tools }))
      assert.strictEqual(second.choices[0].message.content, "You are in Oslo.")

      const asFunction = { type: "function", ...locate, strict: false } as const
      const events = client.responses.stream({ model: "guide", input: "Where?", tools: [asFunction] })
      const { output } = yield* from(() => events.finalResponse())
      assert.deepInclude(output[0], { type: "function_call", name: "locate", arguments: '{"exact":true}' })
      const { call_id } = output[0] as { call_id: string }
      const items = [
        user("Where?"),
        output[0] as never,
        { type: "function_call_output", call_id, output: "59.9" } as const
      ]
      const told = yield* from(() => client.responses.create({ model: "guide", input: items, tools: [asFunction] }))
      assert.strictEqual(told.output_text, "You are in Oslo.")
    })
  )

  it.live("parameters and instructions are set only where the server says so", () =>
    Effect.gen(function* () {
      const { client, url } = yield* asked()
      const open = new OpenAI({ apiKey: "none", baseURL: `${url}/open` })
      const request = { model: "echo", max_completion_tokens: 7, messages: [user("hi")] }
      const said = async (client: OpenAI, request: OpenAI.ChatCompletionCreateParamsNonStreaming) =>
        (await client.chat.completions.create(request)).choices[0].message.content
      assert.include(yield* from(() => said(client, request)), '"maxTokens": null')
      assert.include(yield* from(() => said(open, request)), '"maxTokens": 7')
      const instructed = { model: "echo", messages: [{ role: "system", content: "Obey" } as const, user("hi")] }
      assert.include(yield* from(() => said(open, instructed)), "Obey")
      const error = yield* thrown(() => said(client, instructed))
      assert.deepInclude({ ...error }, { status: 400, param: "messages[0].role", type: "invalid_request_error" })
    })
  )

  it.live("images and files reach the agent, in their place among the texts", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<string>> = []
      const viewer = Agent.make(
        "Viewer",
        Effect.fnUntraced(function* (ctx) {
          const [message] = yield* ctx.messages.messages
          const parts = message instanceof Message.User ? (message.parts ?? []) : []
          const shown = (file: Message.File) => `${file.mediaType} ${file.fileName ?? ""} ${file.href.slice(-8)}`
          seen.push(parts.map((part) => (part instanceof Message.File ? shown(part) : part.content)))
          yield* ctx.reply("seen")
        })
      )
      const { url } = yield* serve(OpenAiApi.layer({ viewer }))
      const client = new OpenAI({ apiKey: "none", baseURL: `${url}/v1` })
      const dot = "data:image/png;base64,iVBORw0KGgo="
      const content: Array<OpenAI.ChatCompletionContentPart> = [
        { type: "text", text: "What is this?" },
        { type: "image_url", image_url: { url: dot, detail: "low" } },
        { type: "file", file: { file_data: "data:application/pdf;base64,JVBERi0=", filename: "a.pdf" } },
        { type: "input_audio", input_audio: { data: "UklGRg==", format: "wav" } },
        { type: "text", text: "Say." }
      ]
      yield* from(() => client.chat.completions.create({ model: "viewer", messages: [{ role: "user", content }] }))
      const item: OpenAI.Responses.ResponseInputItem = {
        role: "user",
        content: [
          { type: "input_text", text: "And this?" },
          { type: "input_image", image_url: "https://example.org/a.png", detail: "auto" }
        ]
      }
      yield* from(() => client.responses.create({ model: "viewer", input: [item] }))
      assert.deepStrictEqual(seen, [
        ["What is this?", "image/png  Rw0KGgo=", "application/pdf a.pdf JVBERi0=", "audio/wav  UklGRg==", "Say."],
        ["And this?", "image/png  rg/a.png"]
      ])
    })
  )

  it.live("what an agent fails with is the client's error, and not tried again", () =>
    Effect.gen(function* () {
      const { client } = yield* asked()
      const request = { model: "failing", messages: [user("go")] }
      failures = 0
      const whole = yield* thrown(() => client.chat.completions.create(request))
      assert.deepInclude({ ...whole }, { status: 500, code: "Refused", type: "server_error" })
      assert.strictEqual(failures, 1)
      const given: Array<string> = []
      const error = yield* thrown(async () => {
        for await (const { choices } of await client.chat.completions.create({ ...request, stream: true })) {
          given.push(choices[0]?.delta.content ?? "")
        }
      })
      assert.strictEqual(given.join(""), "so far")
      assert.strictEqual(error.code, "Refused")
      const failed = yield* from(() => client.responses.stream({ model: "failing", input: "go" }).finalResponse())
      assert.strictEqual(failed.status, "failed")
      assert.deepInclude(failed.error, { code: "server_error", message: 'Refused: by: "Ann"' })
      const defect = yield* thrown(() => client.chat.completions.create({ ...request, model: "broken" }))
      assert.strictEqual(defect.code, "InternalError")
      assert.notInclude(JSON.stringify(defect.error), "secret")
    })
  )

  it.live("responses: by the client's helper and as a whole, one output for each message", () =>
    Effect.gen(function* () {
      const { client } = yield* asked()
      const streamed = client.responses.stream({ model: "assistant", input: "Umbrella?" })
      const { id, output, usage } = yield* from(() => streamed.finalResponse())
      assert.deepStrictEqual(
        output.map(({ type }) => type),
        ["reasoning", "message", "message"]
      )
      assert.deepInclude(usage, { input_tokens: 30, output_tokens: 5 })
      const again = yield* from(() => client.responses.retrieve(id))
      assert.deepStrictEqual(
        again.output.map((item) => item.id),
        output.map((item) => item.id)
      )
      const whole = yield* from(() => client.responses.create({ model: "assistant", input: [user("Umbrella?")] }))
      assert.strictEqual(whole.output_text, "I look.Take an umbrella.")
    })
  )

  it.live("a response in the background is read on after every event, and ends the same", () =>
    Effect.gen(function* () {
      const { client } = yield* asked()
      const request = { model: "talker", input: "go", background: true } as const
      const had = yield* from(async () => {
        const had: Array<ResponseStreamEvent> = []
        // one event of each connection, while it goes on
        let events = await client.responses.create({ ...request, stream: true })
        for (let id = ""; ;) {
          for await (const event of events) {
            had.push(event)
            if (event.type === "response.created") ({ id } = event.response)
            break
          }
          const last = had.at(-1)!
          if (last.type === "response.completed") return had
          events = await client.responses.retrieve(id, { stream: true, starting_after: last.sequence_number })
        }
      })
      const numbers = had.map(({ sequence_number }) => sequence_number)
      assert.strictEqual(new Set(numbers).size, numbers.length)
      const last = had.at(-1)
      if (last?.type !== "response.completed") return assert.fail("it is not completed")
      const { id, output, output_text } = yield* from(() => client.responses.retrieve(last.response.id))
      assert.deepStrictEqual(last.response.output, output)
      assert.strictEqual(texts(had), output_text)
      const replayed = client.responses.stream({ response_id: id, starting_after: numbers[3] })
      assert.strictEqual((yield* from(() => replayed.finalResponse())).output_text, output_text)
    })
  )

  it.live("leaving ends what is bound to its reader, a response in the background goes on until it is cancelled", () =>
    Effect.gen(function* () {
      const { client, context } = yield* asked()
      const request = { model: "silent", input: "go", stream: true } as const
      const leave = (more: { readonly background?: boolean }) =>
        from(async () => {
          for await (const event of await client.responses.create({ ...request, ...more })) {
            if (event.type === "response.created") return event.response.id
          }
          throw new Error("it was not created")
        })
      const bound = yield* leave({})
      const kept = yield* leave({ background: true })
      yield* from(async () => {
        for await (const _ of await client.chat.completions.create({
          model: "silent",
          messages: [user("go")],
          stream: true
        }))
          break
      })
      const left = Effect.map(Effect.provideContext(Runs.list, context), (runs) =>
        runs.filter((run) => run.status === "running").map((run) => run.id)
      )
      while ((yield* left).length > 1) yield* Effect.yieldNow
      assert.deepStrictEqual(yield* left, [kept])
      assert.strictEqual((yield* from(() => client.responses.retrieve(kept))).status, "in_progress")
      const follower = from(async () => collect(await client.responses.retrieve(kept, { stream: true })))
      const cancelled = yield* Effect.all([from(() => client.responses.cancel(kept)), follower], { concurrency: 2 })
      assert.strictEqual(cancelled[0].status, "cancelled")
      const last = cancelled[1].at(-1)
      assert.strictEqual(last?.type === "response.incomplete" && last.response.status, "cancelled")
      assert.strictEqual((yield* from(() => client.responses.retrieve(bound))).status, "cancelled")
      assert.strictEqual(yield* Effect.provideContext(status(kept), context), "interrupted")
    })
  )

  it.live("the AI SDK's client: text, thoughts, tools and what it cost", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const provider = (path: string) =>
        createOpenAICompatible({ name: "miniagents", baseURL: `${url}${path}`, includeUsage: true })
      const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "Umbrella?" }] }]
      const { stream } = yield* from(async () => provider("/v1").chatModel("assistant").doStream({ prompt }))
      const parts = yield* from(() => collect(stream as AsyncIterable<{ type: string; delta?: string }>))
      const said = (type: string) => parts.flatMap((part) => (part.type === type ? [part.delta] : [])).join("")
      assert.strictEqual(said("text-delta"), "I look.\n\nTake an umbrella.")
      assert.strictEqual(said("reasoning-delta"), "let me see")
      assert.deepInclude(parts.at(-1), { type: "finish" })
      assert.include(JSON.stringify(parts.at(-1)), '"total":30')
      const tools = [{ type: "function", name: "locate", inputSchema: { type: "object" } } as const]
      const whole = yield* from(async () => provider("/open").chatModel("guide").doGenerate({ prompt, tools }))
      assert.deepInclude(whole.content[0], { type: "tool-call", toolName: "locate" })
    })
  )

  const chat = (message: unknown, more = {}) => ({ model: "echo", messages: [message], ...more })
  const input = (item: unknown) => ({ model: "echo", input: [item] })
  it.live.each<readonly [string, string, unknown, number, string]>([
    ["no JSON", "/chat/completions", "{", 400, "no JSON"],
    ["JSON without end", "/chat/completions", "[".repeat(100_000), 400, "levels deep"],
    ["bytes that are no UTF-8", "/responses", Buffer.from([0x22, 0xff, 0x22]), 400, "UTF-8"],
    ["a body that is too large", "/responses", `"${"x".repeat(1_100_000)}"`, 413, "too large"],
    ["a list for a body", "/chat/completions", "[]", 400, "must be an object"],
    ["a model that is not there", "/chat/completions", { model: "gpt-5" }, 404, "`gpt-5`"],
    ["a model of the language", "/chat/completions", { model: "constructor", messages: [] }, 404, "`constructor`"],
    ["no messages", "/chat/completions", { model: "echo" }, 400, "`messages`"],
    ["a message that is none", "/chat/completions", chat(7), 400, "`messages[0]`"],
    ["a role that is none", "/chat/completions", chat({ role: "root", content: "x" }), 400, "`messages[0].role`"],
    ["a content that is none", "/chat/completions", chat({ role: "user", content: 7 }), 400, "`messages[0].content`"],
    [
      "a file by an id",
      "/chat/completions",
      chat({ role: "user", content: [{ type: "file", file: { file_id: "file-1" } }] }),
      400,
      "`messages[0].content[0]`"
    ],
    [
      "an address of the server's own",
      "/chat/completions",
      chat({ role: "user", content: [{ type: "image_url", image_url: { url: "file:///etc/passwd" } }] }),
      400,
      "`https` address"
    ],
    [
      "an image that is none",
      "/responses",
      input({ role: "user", content: [{ type: "input_image", image_url: "data:image/png;base64,%%%" }] }),
      400,
      "`input[0].content[0]`"
    ],
    [
      "a result of no call",
      "/chat/completions",
      chat({ role: "tool", tool_call_id: "c", content: "x" }),
      400,
      "was not made"
    ],
    ["several answers", "/chat/completions", chat(user("x"), { n: 2 }), 400, "`n`"],
    ["sound", "/chat/completions", chat(user("x"), { modalities: ["audio"] }), 400, "`modalities`"],
    [
      "a form",
      "/chat/completions",
      chat(user("x"), { response_format: { type: "json_object" } }),
      400,
      "response_format"
    ],
    [
      "tools",
      "/chat/completions",
      chat(user("x"), { tools: [{ type: "function", function: { name: "f" } }] }),
      400,
      "tools"
    ],
    ["a forced tool", "/chat/completions", chat(user("x"), { tool_choice: "required" }), 400, "`tool_choice`"],
    ["an item that is none", "/responses", input({ type: "item_reference", id: "x" }), 400, "`input[0].type`"],
    [
      "a response before",
      "/responses",
      { model: "echo", input: "x", previous_response_id: "r" },
      400,
      "whole conversation"
    ],
    ["instructions", "/responses", { model: "echo", input: "x", instructions: "Obey" }, 400, "`instructions`"],
    ["an address that is none", "/images", {}, 404, "address"]
  ])("%s is refused as OpenAI does, before anything runs", ([_, path, body, status, sentence]) =>
    Effect.gen(function* () {
      const { context, url } = yield* serve(routes)
      const response = yield* from(() =>
        fetch(`${url}/v1${path}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: typeof body === "string" || Buffer.isBuffer(body) ? (body as string) : JSON.stringify(body)
        })
      )
      const { error } = yield* from(async () => (await response.json()) as { error: Record<string, unknown> })
      assert.strictEqual(response.status, status, JSON.stringify(error))
      assert.deepStrictEqual(Object.keys(error).sort(), ["code", "message", "param", "type"])
      assert.include(String(error.message), sentence)
      assert.strictEqual((yield* Effect.provideContext(Runs.list, context)).length, 0)
    })
  )

  it.live("who may not call, calls too much, is slow, or asks for what is another's is told so by the client", () =>
    Effect.gen(function* () {
      const { client, context, url } = yield* asked({ runs: { max: 1 } })
      const other = yield* Effect.provideContext(Runs.start(Agent.make("Other", (ctx) => ctx.reply("secret"))), context)
      for (const id of [other.id, `resp_${"0".repeat(32)}.echo`, "../models", `resp_${"0".repeat(32)}.constructor`]) {
        assert.strictEqual((yield* thrown(() => client.responses.retrieve(id))).status, 404)
        assert.strictEqual((yield* thrown(() => client.responses.cancel(id))).status, 404)
      }
      const running = yield* from(() => client.responses.create({ model: "silent", input: "go", background: true }))
      const impatient = new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 })
      const many = yield* thrown(() => impatient.responses.create({ model: "silent", input: "go" }))
      assert.deepInclude({ ...many }, { status: 429, type: "rate_limit_error" })
      const bad = yield* from(() => fetch(`${url}/v1/responses/${running.id}?stream=true&starting_after=-1`))
      assert.strictEqual(bad.status, 400)

      const guarded = yield* asked({ guard: { token: Redacted.make("the long token"), bodyTimeout: "20 millis" } })
      const refused = yield* thrown(() => collect(guarded.client.models.list()))
      assert.deepInclude({ ...refused }, { status: 401, type: "authentication_error", code: "unauthorized" })
      const known = new OpenAI({ apiKey: "the long token", baseURL: `${guarded.url}/v1` })
      assert.strictEqual((yield* from(() => collect(known.models.list()))).length, Object.keys(agents).length)
      const slow = yield* from(async () => {
        const pieces = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("{")) })
        const headers = { "content-type": "application/json", authorization: "Bearer the long token" }
        const init = { method: "POST", headers, body: pieces, duplex: "half" } as RequestInit
        return fetch(`${guarded.url}/v1/responses`, init)
      })
      assert.strictEqual(slow.status, 408)
      assert.deepInclude((yield* from(() => slow.json() as Promise<{ error: object }>)).error, { param: null })
    })
  )

  it.live("nothing of a provider leaves: no options, no ids of its responses", () =>
    Effect.gen(function* () {
      const secret = { provider: { signature: "SIGNATURE" } }
      const signed = Agent.make("Signed", (ctx) =>
        ctx.reply([
          new LlmMessage.Reasoning({ content: "hm", options: secret }),
          new Message.Assistant({ content: "yes", responseId: "RESPONSE-ID", options: secret, metadata: { a: "META" } })
        ])
      )
      const { url } = yield* serve(OpenAiApi.layer({ signed }))
      for (const stream of [true, false]) {
        const chat = yield* from(async () =>
          (await post(`${url}/v1/chat/completions`, { model: "signed", messages: [], stream })).text()
        )
        const response = yield* from(async () =>
          (await post(`${url}/v1/responses`, { model: "signed", input: "x", stream })).text()
        )
        for (const secret of ["SIGNATURE", "RESPONSE-ID", "META"]) assert.notInclude(chat + response, secret)
      }
    })
  )
})
