/**
 * Tasks of MCP (the extension `io.modelcontextprotocol/tasks` of 2026-07-28) as an addition to effect's protocol: a call
 * of an agent becomes a run that the client asks about, answers and cancels.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import type { McpCalls } from "./calls.ts"

export const extension = "io.modelcontextprotocol/tasks"

/** What effect keeps of a protocol without a session. */
interface Adapter {
  readonly clientRpcs: Group
  readonly handlerRpcs: Group
  readonly installHandlers: (core: unknown, lifecycle: unknown, target: Target) => Effect.Effect<void>
}
type Group = RpcGroup.RpcGroup<Rpc.AnyWithProps>
interface Target {
  readonly install: (protocol: unknown, rpcs: Group, handlers: Handlers) => Effect.Effect<void>
}
type Handlers = { readonly [method: string]: Handle }
type Handle = (payload: never, options: Options) => Effect.Effect<unknown, unknown, McpSchema.McpRequestContext>
interface Options {
  readonly headers: { readonly [name: string]: string | undefined }
}

const JsonObject = Schema.Record(Schema.String, Schema.Json)
const Failure = Schema.Struct({ code: Schema.Int, message: Schema.String, data: Schema.optionalKey(Schema.Unknown) })
type Failure = typeof Failure.Type
const Metadata = Schema.Record(Schema.String, Schema.Unknown)

const method = <const Name extends string, Fields extends Schema.Struct.Fields>(name: Name, fields: Fields) =>
  Rpc.make(name, {
    payload: { ...fields, taskId: Schema.String, _meta: Schema.optionalKey(Metadata) },
    success: JsonObject,
    error: Failure
  }) as unknown as Rpc.AnyWithProps

const Responses = Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Unknown))
const methods = [
  method("tasks/get", {}),
  method("tasks/update", { inputResponses: Schema.optionalKey(Responses) }),
  method("tasks/cancel", {})
]

/** The protocol with tasks. */
export const protocol = (calls: McpCalls): typeof McpProtocol.v2026_07_28 => {
  const base = McpProtocol.v2026_07_28 as unknown as Adapter
  const plain = base.clientRpcs.requests.get("tools/call") as unknown as {
    readonly payloadSchema: Schema.Top
    readonly successSchema: Schema.Top
  }
  const Created = Schema.StructWithRest(Schema.Struct({ resultType: Schema.Literal("task") }), [JsonObject])
  const call = Rpc.make("tools/call", {
    payload: plain.payloadSchema,
    success: Schema.Union([Created, plain.successSchema]),
    error: Failure
  }) as unknown as Rpc.AnyWithProps
  const added = (group: Group) => (group.omit("tools/call") as Group).add(call, ...methods) as unknown as Group
  const handlerRpcs = added(base.handlerRpcs)
  const installHandlers: Adapter["installHandlers"] = (core, lifecycle, target) =>
    base.installHandlers(core, lifecycle, {
      ...target,
      install: (of, _rpcs, handlers) => target.install(of, handlerRpcs, { ...handlers, ...answers(calls, handlers) })
    })
  const made = { ...base, clientRpcs: added(base.clientRpcs), handlerRpcs, installHandlers }
  return made as never // the same protocol, with more methods
}

const answers = (calls: McpCalls, base: Handlers): Handlers => {
  const about =
    (then: (taskId: string, payload: Update) => Effect.Effect<Schema.JsonObject, Failure>): Handle =>
    (payload: Update, { headers }) =>
      Effect.gen(function* () {
        if (!(yield* understands)) return yield* missing
        const { taskId } = payload
        const isHttp = Option.isSome(yield* Effect.serviceOption(HttpServerRequest.HttpServerRequest))
        if (isHttp && McpServer.decodeNameHeader(headers["mcp-name"] ?? "") !== taskId) return yield* mismatch
        return yield* then(taskId, payload)
      })
  return {
    "tools/call": (payload, options) =>
      Effect.gen(function* () {
        const { arguments: given, name } = payload as Call
        const mode = calls.taskMode(name)
        if (mode === undefined) return yield* base["tools/call"](payload, options)
        if (yield* understands) return yield* calls.createTask(name, given, yield* McpSchema.McpRequestContext)
        return yield* mode === "required" ? missing : base["tools/call"](payload, options)
      }),
    "tasks/get": about((taskId) => calls.task(taskId)),
    "tasks/update": about((taskId, { inputResponses = {} }) => calls.updateTask(taskId, inputResponses)),
    "tasks/cancel": about((taskId) => calls.cancelTask(taskId))
  }
}

interface Call {
  readonly name: string
  readonly arguments?: unknown
}
interface Update {
  readonly taskId: string
  readonly inputResponses?: Readonly<Record<string, McpSchema.McpInputResponse>>
}

/** Whether the client knows tasks. */
const understands = Effect.map(McpSchema.McpRequestContext, ({ clientCapabilities }) => {
  const { extensions } = clientCapabilities
  return Predicate.hasProperty(extensions, extension)
})

const badRequest = (failure: Failure): Effect.Effect<never, Failure> =>
  Effect.withFiber((fiber) => {
    HttpEffect.appendPreResponseHandlerUnsafe(fiber.context, (_request, response) =>
      Effect.succeed(HttpServerResponse.setStatus(response, 400))
    )
    return Effect.fail(failure)
  })

const missing = badRequest({
  code: -32021,
  message: `The client does not say that it understands \`${extension}\``,
  data: { requiredCapabilities: { extensions: { [extension]: {} } } }
})

const mismatch = badRequest({
  code: McpSchema.HEADER_MISMATCH_ERROR_CODE,
  message: "The header `Mcp-Name` is not the id of the task"
})
