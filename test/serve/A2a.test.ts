/** Agents over A2A, asked by the protocol's own client, over JSON-RPC and over REST. */
import { type SendMessageRequest, StreamResponse, Task } from "@a2a-js/sdk"
import { type Client, ClientFactory, ClientFactoryOptions } from "@a2a-js/sdk/client"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { Agent, Message, MessagePromise } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { A2a } from "miniagents/serve"
import { ScriptedModel } from "miniagents/testing"
import { artifactsOf, stateOf, type TaskJson, type Update } from "./A2aClient.ts"
import { type Options, serve } from "./Server.ts"

const { text, toolCall, turn } = ScriptedModel

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {}

const echo = Agent.make(
  "Echo",
  { description: "Says it again", parameters: { mark: Schema.optionalKey(Schema.String) } },
  (ctx) => ctx.reply([ctx.messages, Message.data({ mark: ctx.parameters.mark ?? null })])
)
const failing = Agent.make(
  "Failing",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply("so far")
    return yield* new Refused({ by: "Ann" })
  })
)
const broken = Agent.make("Broken", () => Effect.die(new Error("postgres://me:secret@db")))
const silent = Agent.make("Silent", (ctx) => Effect.andThen(ctx.reply("here"), Effect.never))
const careful = Agent.make(
  "Careful",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply("who?")
    const { by } = yield* Runs.wait("by", Schema.Struct({ by: Schema.String }))
    yield* ctx.reply(`by ${by}`)
  })
)
const Danger = Toolkit.make(Tool.make("Danger", { success: Schema.String, needsApproval: true }))
const DangerLive = Danger.toLayer({ Danger: () => Effect.succeed("done") })
const approved = LlmAgent.make("Approved", {
  toolkit: Danger,
  model: ScriptedModel.layer([turn(text("I ask."), toolCall("Danger", {})), turn(text("It is over."))])
})

const routesOf = (more: Layer.Layer<never> = Layer.empty) =>
  Layer.mergeAll(
    A2a.layer("/a2a", echo, { parameters: ["mark"] }),
    ...[failing, broken, silent, careful].map((agent) =>
      A2a.layer(`/${agent.name.toLowerCase()}`, agent as Agent.Agent<{}, unknown, never>, {
        card: `/${agent.name}.json`
      })
    ),
    A2a.layer("/approved", approved, { card: "/approved.json" }).pipe(Layer.provide(DangerLive)),
    more
  )

const bindings = ["JSONRPC", "HTTP+JSON"] as const
type Binding = (typeof bindings)[number]

const from = <A>(promise: () => Promise<A>) => Effect.promise(promise)

const clientOf = (url: string, path: string, binding: Binding) =>
  from(() => {
    const options = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, { preferredTransports: [binding] })
    return new ClientFactory(options).createFromUrl(url, `${path}/.well-known/agent-card.json`)
  })

const asked = (path: string, binding: Binding, options?: Options) =>
  Effect.gen(function* () {
    const served = yield* serve(routesOf(), options)
    return { ...served, client: yield* clientOf(served.url, path, binding) }
  })

interface More {
  readonly taskId?: string
  readonly contextId?: string
  readonly metadata?: Record<string, unknown>
  readonly now?: boolean
}

const message = (value: unknown, { contextId = "", metadata, now = false, taskId = "" }: More = {}) =>
  ({
    tenant: "",
    message: {
      messageId: "m-1",
      contextId,
      taskId,
      role: 1,
      parts: [
        {
          content: typeof value === "string" ? { $case: "text", value } : { $case: "data", value },
          metadata: undefined,
          filename: "",
          mediaType: ""
        }
      ],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: []
    },
    configuration: { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately: now },
    metadata
  }) as SendMessageRequest

/** The updates of a stream, up to one that is the last to be read. */
const read = async (
  stream: AsyncGenerator<StreamResponse>,
  isLast: (all: ReadonlyArray<Update>) => boolean = () => false
) => {
  const all: Array<Update> = []
  for await (const each of stream) {
    all.push(StreamResponse.toJSON(each) as Update)
    if (isLast(all)) break
  }
  return all
}

const sent = (client: Client, request: SendMessageRequest) =>
  from(async () => Task.toJSON((await client.sendMessage(request)) as Task) as TaskJson)
const got = (client: Client, id: string) =>
  from(async () => Task.toJSON(await client.getTask({ tenant: "", id })) as TaskJson)
const idOf = ([first]: ReadonlyArray<Update>) => (first !== undefined && "task" in first ? first.task.id : "")

/** What the client throws. */
const thrown = (promise: () => Promise<unknown>) =>
  from(async () => {
    try {
      await promise()
    } catch (error) {
      return error as Error
    }
    throw new Error("nothing was thrown")
  })

describe.each(bindings)("A2a over %s", (binding) => {
  it.live("a message makes a task: at once, at its end, or live, with an artifact for each message", () =>
    Effect.gen(function* () {
      const { client } = yield* asked("/a2a", binding)
      const whole = yield* sent(client, message("hi", { contextId: "talk-1" }))
      assert.strictEqual(whole.status.state, "TASK_STATE_COMPLETED")
      assert.strictEqual(whole.contextId, "talk-1")
      assert.deepStrictEqual(artifactsOf([{ task: whole }]), ["hi", { mark: null }])
      const marked = yield* sent(client, message({ n: 1 }, { metadata: { mark: "!" } }))
      assert.deepStrictEqual(artifactsOf([{ task: marked }]), [{ n: 1 }, { mark: "!" }])
      const live = yield* from(() => read(client.sendMessageStream(message("hi"))))
      assert.deepStrictEqual(artifactsOf(live), ["hi", { mark: null }])
      assert.strictEqual(stateOf(live.slice(0, 1)), "TASK_STATE_SUBMITTED")
      assert.strictEqual(stateOf(live), "TASK_STATE_COMPLETED")
      const now = yield* sent(client, message("hi", { now: true }))
      assert.deepStrictEqual(artifactsOf([{ task: yield* got(client, now.id) }]), ["hi", { mark: null }])
    })
  )

  it.live("what an agent waits for is asked, a wrong answer is refused, and the right one goes on", () =>
    Effect.gen(function* () {
      const { client, url } = yield* asked("/careful", binding)
      const asks = yield* sent(client, message("go"))
      assert.strictEqual(asks.status.state, "TASK_STATE_INPUT_REQUIRED")
      assert.deepStrictEqual(artifactsOf([{ task: asks }]), ["who?"])
      assert.include(JSON.stringify(asks.status.message), '"signal":"by"')
      const { contextId, id: taskId } = asks
      const wrong = yield* thrown(() => client.sendMessage(message({ by: 7 }, { taskId })))
      assert.include(wrong.message, "`by` got `7`")
      const other = yield* thrown(() => client.sendMessage(message({ by: "Ann" }, { taskId, contextId: "other" })))
      assert.include(other.message, "context")
      const rest = yield* from(() => read(client.sendMessageStream(message({ by: "Ann" }, { taskId, contextId }))))
      assert.deepStrictEqual(artifactsOf(rest), ["who?", "by Ann"])
      assert.strictEqual(stateOf(rest), "TASK_STATE_COMPLETED")
      assert.include((yield* thrown(() => client.sendMessage(message("x", { taskId })))).message, "has ended")

      const careful = yield* clientOf(url, "/approved", binding)
      for (const said of ["yes", "better not"]) {
        const live = yield* from(() => read(careful.sendMessageStream(message("go"))))
        assert.strictEqual(stateOf(live), "TASK_STATE_INPUT_REQUIRED")
        assert.include(JSON.stringify(live.at(-1)), '"name":"Danger"')
        const done = yield* sent(careful, message(said, { taskId: idOf(live) }))
        assert.deepStrictEqual(artifactsOf([{ task: done }]), ["I ask.", "It is over."])
      }
    })
  )

  it.live("an agent that waits for the same again asks again", () =>
    Effect.gen(function* () {
      const guesser = Agent.make(
        "Guesser",
        Effect.fnUntraced(function* (ctx) {
          for (const n of [1, 2, 3]) yield* ctx.reply(`${n}: ${yield* Runs.wait("word", Schema.String)}`)
        })
      )
      const { url } = yield* serve(A2a.layer("/guess", guesser))
      const client = yield* clientOf(url, "/guess", binding)
      const { id: taskId } = yield* sent(client, message("go"))
      for (const [i, word] of ["a", "b", "c"].entries()) {
        const live = yield* from(() => read(client.sendMessageStream(message(word, { taskId }))))
        assert.strictEqual(artifactsOf(live).at(-1), `${i + 1}: ${word}`)
        assert.strictEqual(stateOf(live), i < 2 ? "TASK_STATE_INPUT_REQUIRED" : "TASK_STATE_COMPLETED")
      }
    })
  )

  it.live("a reader that was cut off anywhere subscribes and has all of it, once", () =>
    Effect.gen(function* () {
      const tokens = yield* Queue.unbounded<string>()
      const slow = Agent.make(
        "Slow",
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.reply("first")
          yield* ctx.reply(
            yield* MessagePromise.fromStream(Stream.take(Stream.rechunk(Stream.fromQueue(tokens), 1), 20))
          )
        })
      )
      const { url } = yield* serve(A2a.layer("/slow", slow))
      const client = yield* clientOf(url, "/slow", binding)
      const lengthOf = (all: ReadonlyArray<Update>) => artifactsOf(all).join("").length
      let had = yield* from(() => read(client.sendMessageStream(message("go")), (all) => lengthOf(all) === 5))
      const id = idOf(had)
      const follower = from(() => read(client.resubscribeTask({ tenant: "", id })))
      const cut = Effect.gen(function* () {
        for (let n = 1; n <= 20; n++) {
          const wanted = 5 + n * 3
          yield* Queue.offer(tokens, n < 10 ? ` 0${n}` : ` ${n}`)
          if (n === 20) break
          had = yield* from(() => read(client.resubscribeTask({ tenant: "", id }), (all) => lengthOf(all) >= wanted))
          assert.strictEqual(lengthOf(had), wanted)
        }
      })
      const [all] = yield* Effect.all([follower, cut], { concurrency: 2 })
      const task = yield* Effect.repeat(got(client, id), {
        while: ({ status }) => status.state === "TASK_STATE_WORKING"
      })
      assert.deepStrictEqual(artifactsOf([{ task }]), artifactsOf(all))
      assert.strictEqual(lengthOf(all), 65)
      assert.strictEqual(stateOf(all), "TASK_STATE_COMPLETED")
      assert.include((yield* thrown(() => read(client.resubscribeTask({ tenant: "", id })))).message, "has ended")
    })
  )

  it.live("leaving is not cancelling, and cancelling ends it for all", () =>
    Effect.gen(function* () {
      const { client, context } = yield* asked("/silent", binding)
      const left = yield* from(() => read(client.sendMessageStream(message("go")), (all) => all.length === 2))
      const id = idOf(left)
      assert.strictEqual((yield* got(client, id)).status.state, "TASK_STATE_WORKING")
      const follower = from(() => read(client.resubscribeTask({ tenant: "", id })))
      const cancel = from(
        async () => Task.toJSON(await client.cancelTask({ tenant: "", id, metadata: {} })) as TaskJson
      )
      const [all, cancelled] = yield* Effect.all([follower, cancel], { concurrency: 2 })
      assert.strictEqual(cancelled.status.state, "TASK_STATE_CANCELED")
      assert.strictEqual(stateOf(all), "TASK_STATE_CANCELED")
      assert.strictEqual((yield* Effect.provideContext(Runs.get(id), context)).status, "interrupted")
      const again = yield* thrown(() => client.cancelTask({ tenant: "", id, metadata: {} }))
      assert.strictEqual(again.constructor.name.replace(/^(Rest|JsonRpc)/, ""), "TaskNotCancelableError")
    })
  )

  it.live("what an agent fails with is the status of its task; a defect keeps its text", () =>
    Effect.gen(function* () {
      const { client, url } = yield* asked("/failing", binding)
      const failed = yield* sent(client, message("go"))
      assert.strictEqual(failed.status.state, "TASK_STATE_FAILED")
      assert.deepStrictEqual(artifactsOf([{ task: failed }]), ["so far"])
      assert.strictEqual(failed.status.message?.parts[0].text, 'Refused: by: "Ann"')
      const died = yield* sent(yield* clientOf(url, "/broken", binding), message("go"))
      assert.include(JSON.stringify(died.status), "internal error")
      assert.notInclude(JSON.stringify(died), "secret")
    })
  )

  it.live("tasks are listed by pages, the latest first", () =>
    Effect.gen(function* () {
      const { client } = yield* asked("/a2a", binding)
      const made: Array<string> = []
      for (const contextId of ["one", "two", "two"]) made.push((yield* sent(client, message("hi", { contextId }))).id)
      const list = (more: object) =>
        from(() =>
          client.listTasks({
            tenant: "",
            contextId: "",
            status: 0,
            pageToken: "",
            statusTimestampAfter: undefined,
            ...more
          })
        )
      const all = yield* list({})
      assert.deepStrictEqual(all.tasks.map(({ id }) => id).sort(), made.toSorted())
      assert.deepStrictEqual(all.tasks[0].artifacts, [])
      const times = all.tasks.map(({ status }) => status!.timestamp!)
      assert.deepStrictEqual(times, times.toSorted().reverse())
      const first = yield* list({ pageSize: 2 })
      const second = yield* list({ pageSize: 2, pageToken: first.nextPageToken, includeArtifacts: true })
      assert.strictEqual(second.nextPageToken, "")
      assert.deepStrictEqual(
        [...first.tasks, ...second.tasks].map(({ id }) => id),
        all.tasks.map(({ id }) => id)
      )
      assert.strictEqual(second.tasks[0].artifacts.length, 2)
      assert.strictEqual((yield* list({ contextId: "two" })).totalSize, 2)
      assert.strictEqual((yield* list({ status: 2 })).totalSize, 0)
      assert.include((yield* thrown(() => client.listTasks({ pageSize: 0 } as never))).message, "pageSize")
    })
  )

  it.live("a task of another agent, or none, is not found", () =>
    Effect.gen(function* () {
      const { client, context, url } = yield* asked("/a2a", binding)
      const other = yield* clientOf(url, "/silent", binding)
      const theirs = yield* sent(other, message("go", { now: true }))
      const run = yield* Effect.provideContext(Runs.start(Agent.make("Other", (ctx) => ctx.reply("secret"))), context)
      for (const id of [theirs.id, run.id, "../x", `task_${"0".repeat(32)}.c`]) {
        for (const use of [
          () => client.getTask({ tenant: "", id }),
          () => client.cancelTask({ tenant: "", id, metadata: {} }),
          () => read(client.resubscribeTask({ tenant: "", id })),
          () => client.sendMessage(message("x", { taskId: id }))
        ]) {
          const error = yield* thrown(use)
          assert.strictEqual(error.constructor.name.replace(/^(Rest|JsonRpc)/, ""), "TaskNotFoundError", error.message)
        }
      }
      assert.strictEqual((yield* got(other, theirs.id)).status.state, "TASK_STATE_WORKING")
    })
  )
})

interface RpcError {
  readonly code: number
  readonly message: string
  readonly data?: ReadonlyArray<Record<string, unknown>>
}

const version = { "a2a-version": "1.0" }
const json = { "content-type": "application/json" }

describe("A2a", () => {
  it.live("the card says where and how it is spoken, and may be kept", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(A2a.layer("/a2a", echo, { url: "https://agents.example.org/", version: "2.1.0" }))
      const response = yield* from(() => fetch(`${url}/.well-known/agent-card.json`))
      const card = yield* from(() => response.json() as Promise<Record<string, unknown>>)
      assert.deepInclude(card, { name: "Echo", description: "Says it again", version: "2.1.0" })
      assert.deepStrictEqual(card.supportedInterfaces, [
        { url: "https://agents.example.org/a2a", protocolBinding: "JSONRPC", protocolVersion: "1.0" },
        { url: "https://agents.example.org/a2a", protocolBinding: "HTTP+JSON", protocolVersion: "1.0" }
      ])
      assert.deepInclude(card.capabilities, { streaming: true, pushNotifications: false })
      assert.include(response.headers.get("cache-control"), "max-age")
      assert.match(response.headers.get("etag") ?? "", /^".+"$/)
    })
  )

  it.live("files of the types that are taken reach the agent, and files that it says are parts of artifacts", () =>
    Effect.gen(function* () {
      const viewer = Agent.make("Viewer", (ctx) =>
        ctx.reply([ctx.messages, Message.assistant(["this:", Message.image(png)])])
      )
      const png = "data:image/png;base64,iVBORw0KGgo="
      const { url } = yield* serve(A2a.layer("/view", viewer, { inputModes: ["text/plain", "image/*"] }))
      const raw = { raw: "iVBORw0KGgo=", mediaType: "image/png" }
      const send = (part: object) =>
        from(async () => {
          const body = JSON.stringify({ message: { ...valid, parts: [part] } })
          const response = await fetch(`${url}/view/message:send`, {
            method: "POST",
            headers: { ...json, ...version },
            body
          })
          return (await response.json()) as { readonly task?: TaskJson; readonly error?: { readonly message: string } }
        })
      const address = { url: "https://example.org/a.png", mediaType: "image/png", filename: "a.png" }
      for (const part of [raw, address]) {
        const { task } = yield* send(part)
        const [given, made] = task?.artifacts?.map(({ parts }) => parts) ?? []
        assert.deepStrictEqual(given, [part] as never)
        assert.include(made[0].text, "this:")
        assert.deepStrictEqual(made.slice(1), [raw] as never)
      }
      for (const part of [
        { ...raw, mediaType: "application/pdf" },
        { ...raw, raw: "%" },
        { ...address, url: "file:///etc/passwd" }
      ]) {
        assert.isDefined((yield* send(part)).error)
      }
    })
  )

  const part = { text: "hi" }
  const valid = { messageId: "m", role: "ROLE_USER", parts: [part] }
  const sending = (message: unknown, more = {}) => ({ message, ...more })
  const rpc = (method: unknown, params?: unknown) => ({ jsonrpc: "2.0", id: 7, method, params })
  it.live.each<readonly [string, unknown, number, string, Record<string, string>?]>([
    ["no JSON", "{", -32700, "no JSON"],
    ["JSON without end", "[".repeat(100_000), -32700, "levels deep"],
    ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0x22]), -32700, "UTF-8"],
    ["a body that is too large", `"${"x".repeat(1_100_000)}"`, -32600, "too large"],
    ["a list", "[]", -32600, "JSON-RPC"],
    ["null", "null", -32600, "JSON-RPC"],
    ["another version of JSON-RPC", { ...rpc("GetTask"), jsonrpc: "1.0" }, -32600, "JSON-RPC"],
    ["a method that is no text", rpc(7), -32600, "JSON-RPC"],
    ["an unknown method", rpc("Dance"), -32601, "`Dance`"],
    ["a method of the language", rpc("constructor"), -32601, "`constructor`"],
    ["no version", rpc("GetTask", { id: "x" }), -32009, "`0.3`", {}],
    ["another version", rpc("GetTask", { id: "x" }), -32009, "`0.9`", { "a2a-version": "0.9" }],
    ["no parameters", rpc("SendMessage"), -32602, "`params`"],
    ["no message", rpc("SendMessage", {}), -32602, "`message`"],
    ["a message without an id", rpc("SendMessage", sending({ ...valid, messageId: "" })), -32602, "messageId"],
    ["a message of another role", rpc("SendMessage", sending({ ...valid, role: "ROLE_AGENT" })), -32602, "ROLE_USER"],
    ["a message without parts", rpc("SendMessage", sending({ ...valid, parts: [] })), -32602, "message.parts"],
    ["a part that is none", rpc("SendMessage", sending({ ...valid, parts: [{}] })), -32602, "message.parts[0]"],
    ["a file", rpc("SendMessage", sending({ ...valid, parts: [{ url: "https://a.b/c" }] })), -32005, "A file"],
    [
      "a body of another type",
      rpc("GetTask", { id: "x" }),
      -32005,
      "JSON",
      { ...version, "content-type": "text/plain" }
    ],
    ["a context that is none", rpc("SendMessage", sending({ ...valid, contextId: "a/b" })), -32602, "contextId"],
    ["a wrong parameter", rpc("SendMessage", sending(valid, { metadata: { mark: 7 } })), -32602, "`mark`"],
    [
      "push notifications",
      rpc("SendMessage", sending(valid, { configuration: { taskPushNotificationConfig: { url: "https://a.b" } } })),
      -32003,
      "push"
    ],
    [
      "their configuration",
      rpc("CreateTaskPushNotificationConfig", { taskId: "x", url: "https://a.b" }),
      -32003,
      "push"
    ],
    ["an extended card", rpc("GetExtendedAgentCard"), -32004, "extended"],
    ["a token of no page", rpc("ListTasks", { pageToken: "x" }), -32602, "pageToken"],
    ["a time that is none", rpc("ListTasks", { statusTimestampAfter: "now" }), -32602, "statusTimestampAfter"]
  ])("%s is refused as JSON-RPC does, before anything runs", ([_, body, code, sentence, headers = version]) =>
    Effect.gen(function* () {
      const { context, url } = yield* serve(routesOf())
      const response = yield* from(() =>
        fetch(`${url}/a2a`, {
          method: "POST",
          headers: { ...json, ...headers },
          body: typeof body === "string" || Buffer.isBuffer(body) ? (body as string) : JSON.stringify(body)
        })
      )
      const answer = yield* from(() => response.json() as Promise<{ jsonrpc: string; id: unknown; error: RpcError }>)
      assert.strictEqual(answer.jsonrpc, "2.0")
      assert.strictEqual(answer.error.code, code, answer.error.message)
      assert.include(answer.error.message, sentence)
      const isParsed = code !== -32700 && code !== -32600 && !("content-type" in headers)
      assert.strictEqual(answer.id, isParsed ? 7 : null)
      if (code <= -32001 && code >= -32099) assert.strictEqual(answer.error.data?.[0]?.domain, "a2a-protocol.org")
      if (code === -32602) assert.property(answer.error.data?.[0], "fieldViolations")
      assert.strictEqual((yield* Effect.provideContext(Runs.list, context)).length, 0)
    })
  )

  it.live.each<readonly [string, string, string, unknown, number, string]>([
    ["no JSON", "POST", "/message:send", "{", 400, "INVALID_ARGUMENT"],
    ["a task that is not there", "GET", "/tasks/nobody", undefined, 404, "NOT_FOUND"],
    ["an operation that is not there", "DELETE", "/tasks", undefined, 404, "NOT_FOUND"],
    ["push notifications", "GET", "/tasks/x/pushNotificationConfigs", undefined, 400, "FAILED_PRECONDITION"],
    ["a page that is none", "GET", "/tasks?pageSize=many", undefined, 400, "INVALID_ARGUMENT"]
  ])("%s is refused as REST does", ([_, method, path, body, status, name]) =>
    Effect.gen(function* () {
      const { url } = yield* serve(routesOf())
      const init = { method, headers: { ...json, ...version }, ...(body === undefined ? {} : { body: body as string }) }
      const response = yield* from(() => fetch(`${url}/a2a${path}`, init))
      const { error } = yield* from(() => response.json() as Promise<{ error: Record<string, unknown> }>)
      assert.strictEqual(response.status, status)
      assert.deepInclude(error, { code: status, status: name })
      assert.isArray(error.details)
    })
  )

  it.live("who may not call, calls too much or is slow is told so", () =>
    Effect.gen(function* () {
      const guard = { token: Redacted.make("the long token"), bodyTimeout: "20 millis" } as const
      const { url } = yield* serve(routesOf(), { guard, runs: { max: 0 } })
      const authorization = "Bearer the long token"
      const call = (path: string, headers: object, body: unknown) =>
        from(async () => {
          const init = { method: "POST", headers: { ...json, ...version, ...headers }, body, duplex: "half" }
          const response = await fetch(`${url}/a2a${path}`, init as RequestInit)
          return {
            status: response.status,
            error: ((await response.json()) as { error: Record<string, unknown> }).error
          }
        })
      const slow = () =>
        new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("{")) })
      const send = JSON.stringify({ message: valid })
      const inRpc = JSON.stringify(rpc("SendMessage", { message: valid }))
      assert.deepInclude(yield* call("", {}, inRpc), { status: 401 })
      assert.deepInclude((yield* call("", {}, inRpc)).error, { code: -32600 })
      assert.deepInclude((yield* call("/message:send", {}, send)).error, { code: 401 })
      assert.strictEqual((yield* call("", { authorization }, slow())).status, 408)
      assert.deepInclude((yield* call("/message:send", { authorization }, slow())).error, { code: 408 })
      assert.deepInclude((yield* call("", { authorization }, inRpc)).error, { code: -32603 })
      assert.deepInclude(yield* call("/message:send", { authorization }, send), { status: 429 })
    })
  )
})
