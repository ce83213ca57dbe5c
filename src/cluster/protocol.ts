/** What the processes of a cluster say to each other about calls: one protocol for all agents. */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Transcript from "../Transcript.ts"

/**
 * - `hello`: the runner is ready, and begins the call once it is sent something; a durable one can be begun again. `near` are entities of this process, for
 *   what is said to the attempt from now on. Whoever gets a second one knows that the first is out of reach.
 * - `here`: the attempt is in this process; what it has said follows.
 * - `moved`: the call belongs to the entity that is named here.
 * - `cut`: the call is interrupted because its process shuts down.
 * - `unknown`: there is no such attempt in this process.
 */
const Said = Schema.Union([
  Transcript.Event,
  Schema.TaggedStruct("hello", {
    attempt: Schema.String,
    near: Schema.Array(Schema.String),
    durable: Schema.Boolean
  }),
  Schema.TaggedStruct("here", {}),
  Schema.TaggedStruct("moved", { entity: Schema.String }),
  Schema.TaggedStruct("cut", {}),
  Schema.TaggedStruct("unknown", {})
])
export type Said = typeof Said.Type

/** What a call is, without its input: where it stands among the calls of the caller, and what it was called with. */
const Call = Schema.Struct({
  /** The same for every attempt to run the call. */
  id: Schema.String,
  /** What of the replies the caller has. */
  from: Schema.optionalKey(Transcript.Position),
  path: Schema.String,
  parameters: Schema.Json,
  errorsAsMessages: Schema.Boolean
})
export type Call = typeof Call.Type

/**
 * A stream that ends when its entity moves, so that this waits for nothing: the call stays, and is read on. That of a key
 * holds its entity until it has ended, or the next call of the key would run elsewhere at the same time.
 */
const moving = <R extends { annotate: (key: typeof ClusterSchema.Dynamic, value: Dynamic) => R }>(rpc: R): R =>
  rpc.annotate(ClusterSchema.Dynamic, (annotations, { address }) =>
    isAnyEntity(address.entityId) ? Context.add(annotations, ClusterSchema.InterruptOnTermination, true) : annotations
  )
type Dynamic = Context.Service.Shape<typeof ClusterSchema.Dynamic>

/**
 * - `Run`: a new attempt to run a call, and the replies to it. It begins with the first `Send`.
 * - `Send`: more of the input, as events of a transcript; whether the attempt is here.
 * - `Read`: the replies from a position on. An attempt that nobody reads ends within seconds.
 * - `Interrupt`: ends an attempt, and waits until all of it has ended; whether it was here.
 *
 * An entity moves when processes come and go, but an attempt stays where it began: all but `Run` are answered for the
 * process, whatever the entity.
 */
const group = RpcGroup.make(
  moving(Rpc.make("Run", { payload: Call, success: Said, stream: true })),
  Rpc.make("Send", {
    payload: { attempt: Schema.String, events: Schema.Array(Transcript.Event) },
    success: Schema.Boolean
  }),
  moving(
    Rpc.make("Read", {
      payload: { attempt: Schema.String, from: Schema.optionalKey(Transcript.Position) },
      success: Said,
      stream: true
    })
  ),
  Rpc.make("Interrupt", { payload: { attempt: Schema.String }, success: Schema.Boolean })
)

export const entity = (agent: string) => Entity.fromRpcGroup(`Agent/${agent}`, group)

/** An entity for calls that have no key: few enough of them that a process can keep each for a while. */
export const anyEntity = (): string => `call:${SecureRandom.uuidV4Unsafe().slice(0, 3)}`

export const isAnyEntity = (entity: string): boolean => entity.startsWith("call:")

export const entityOfKey = (key: string): string => `key:${key}`
