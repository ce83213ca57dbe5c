/** What the processes of a cluster say to each other about calls: one protocol for all agents. */
import * as Schema from "effect/Schema"
import * as Entity from "effect/cluster/Entity"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Transcript from "../Transcript.ts"

/** Names a call among those of its agent, and the attempt to run it that has said `hello`. */
const Attempt = { call: Schema.String, attempt: Schema.String }

/**
 * `hello`: the runner is ready, and begins once it is sent something. Whoever gets a second one knows that the runner
 * that said the first has died. `moved`: the call belongs to the entity that is named here.
 */
const Said = Schema.Union([
  Transcript.Event,
  Schema.TaggedStruct("hello", { attempt: Schema.String }),
  Schema.TaggedStruct("moved", { entity: Schema.String })
])
export type Said = typeof Said.Type

/** What a call is, without its input: where it stands among the calls of the caller, and what it was called with. */
const Call = Schema.Struct({
  call: Schema.String,
  path: Schema.String,
  parameters: Schema.Json,
  errorsAsMessages: Schema.Boolean
})
export type Call = typeof Call.Type

/**
 * - `Run`: the replies to a call, which ends when who reads them leaves. It begins with the first `Send`.
 * - `Send`: more of the input of a call, as events of a transcript.
 * - `Interrupt`: interrupts a call, and waits until all of it has ended.
 */
const group = RpcGroup.make(
  Rpc.make("Run", { payload: Call, success: Said, stream: true }),
  Rpc.make("Send", { payload: { ...Attempt, events: Schema.Array(Transcript.Event) } }),
  Rpc.make("Interrupt", { payload: Attempt })
)

export const entity = (agent: string) => Entity.fromRpcGroup(`Agent/${agent}`, group)

/** The entity of a call that has no key: few enough of them that a runner can keep each for a while. */
export const entityOf = (call: string): string => `call:${call.slice(0, 3)}`

export const entityOfKey = (key: string): string => `key:${key}`
