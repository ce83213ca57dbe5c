/**
 * What the processes of a cluster say to each other about calls: one protocol for all agents.
 *
 * A caller finds a process by opening a call at an entity, and from then on has a line to it: what it says about all of
 * its calls there goes together, and so does what comes back, so that many calls cost few messages. What is said is JSON
 * that both sides make and read themselves; messages, parameters and failures in it have their own schemas.
 */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import type * as Transcript from "../Transcript.ts"

/** What a call is, without its input: where it stands among the calls of the caller, and what it was called with. */
export interface Call {
  /** The same for every attempt to run the call. */
  readonly id: string
  /** What of the replies the caller has. */
  readonly from?: Transcript.Position
  readonly path: string
  readonly parameters: Schema.Json
  readonly errorsAsMessages: boolean
  /** The span that it is made in. */
  readonly span?: { readonly traceId: string; readonly spanId: string; readonly sampled: boolean }
}

/**
 * - `opened`: the process is ready for the call, and begins it when the attempt is begun. `near` are entities of this
 *   process, for what is said to it from now on.
 * - `moved`: the call belongs to the entity that is named here.
 * - `full`: the process has as many calls as it may have.
 */
export type Opened =
  | {
      readonly _tag: "opened"
      readonly process: string
      readonly attempt: string
      readonly near: ReadonlyArray<string>
      readonly durable: boolean
    }
  | { readonly _tag: "moved"; readonly entity: string }
  | { readonly _tag: "full" }

/**
 * What a caller says to a process. The calls of a line have numbers.
 *
 * - `run`: a new call, with what of its input is there; where its entity is elsewhere, it is not begun.
 * - `begin`: the same for a call that was opened.
 * - `send`: more of the input.
 * - `stop`: interrupts the call; it is `over` when all of it has ended.
 * - `leave`: the caller ends, and all of its calls with it.
 */
export type Order = OfCall | { readonly _tag: "leave" }
export type OfCall =
  | { readonly _tag: "run"; readonly n: number; readonly entity: string; readonly call: Call; readonly events: Events }
  | { readonly _tag: "begin"; readonly n: number; readonly attempt: string; readonly events: Events }
  | { readonly _tag: "send"; readonly n: number; readonly events: Events }
  | { readonly _tag: "stop"; readonly n: number }
export type Events = ReadonlyArray<Transcript.Event>

/**
 * What is said to a process; `at` counts what a line has said, so that what comes again is known. The answer is `here`, or
 * what there is to say of the calls at once.
 */
export interface Talk extends Hold {
  readonly at: number
  /** The last batch that was taken. */
  readonly had: number
  readonly orders: ReadonlyArray<Order>
}

/** Whether it was heard: this is another process, or nobody held the line for so long that its calls have been ended. */
const Heard = Schema.Literals(["here", "elsewhere", "gone"])
export type Heard = typeof Heard.Type

/** Holds a line: a caller that holds it in no process is gone. */
export interface Hold {
  readonly process: string
  readonly line: string
}

/** Asks for what is said about the calls of a line; `asked` counts the questions, `had` is the last batch taken. */
export interface Listen extends Hold {
  readonly asked: number
  readonly had: number
}

/**
 * What is said about a call, beside the events of its transcript.
 *
 * - `cut`: it is interrupted because its process shuts down.
 * - `again`: it has not begun here, or can go on anywhere, and this process is not the one that should have it.
 * - `full`, `refused`: it is not begun, there or anywhere.
 * - `over`: all of it has ended.
 */
export type Said =
  | Transcript.Event
  | { readonly _tag: "cut" }
  | { readonly _tag: "again" }
  | { readonly _tag: "full" }
  | { readonly _tag: "refused"; readonly reason: string }
  | { readonly _tag: "over" }

/**
 * What was said, by the numbers of the calls; batches are numbered from 1 and are taken in order, whether they come as the
 * answer to who talks or to who listens. Nothing for a while is said, too.
 */
export interface Batch {
  readonly at: number
  readonly said: ReadonlyArray<readonly [n: number, said: ReadonlyArray<Said>]>
  readonly near?: ReadonlyArray<string>
  /** The process shuts down, and takes nothing new. */
  readonly leaving?: boolean
}

/** How many milliseconds a process is silent at most to who listens. */
export const silence = 1000

/** What is asked of any process waits for nothing when its entity moves: another entity of the process is as good. */
const moving = <R extends { annotate: (key: typeof ClusterSchema.Dynamic, value: Dynamic) => R }>(rpc: R): R =>
  rpc.annotate(ClusterSchema.Dynamic, (annotations) =>
    Context.add(annotations, ClusterSchema.InterruptOnTermination, true)
  )
type Dynamic = Context.Service.Shape<typeof ClusterSchema.Dynamic>

const Json = { json: Schema.String }

/**
 * - `Open`: a process for a call that has no key.
 * - `Turn`: the same for one that has a key, when it is its turn. It holds the entity until the call is over, or the next
 *   call of the key would run elsewhere at the same time when the entity moves.
 * - `Talk`, `Listen`, `Hold`: are answered for the process, whatever the entity: an entity moves when processes come and go, but
 *   a call stays where it began.
 */
const group = RpcGroup.make(
  moving(Rpc.make("Open", { payload: Json, success: Schema.String })),
  Rpc.make("Turn", { payload: Json, success: Schema.String, stream: true }),
  Rpc.make("Talk", { payload: Json, success: Schema.String }),
  moving(Rpc.make("Listen", { payload: Json, success: Schema.String })),
  moving(Rpc.make("Hold", { payload: Json, success: Heard }))
)

export const entity = (agent: string) => Entity.fromRpcGroup(`Agent/${agent}`, group)

/** An entity for calls that have no key: few enough of them that a process can keep each for a while. */
export const anyEntity = (): string => `call:${SecureRandom.uuidV4Unsafe().slice(0, 3)}`

export const isAnyEntity = (entity: string): boolean => entity.startsWith("call:")

export const entityOfKey = (key: string): string => `key:${key}`
