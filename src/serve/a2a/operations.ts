/** What clients of A2A ask for: a task is a run. */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as Agent from "../../Agent.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import * as approvals from "../../runs/approvals.ts"
import * as Runs from "../../runs/Runs.ts"
import type { Head, Options } from "../A2a.ts"
import * as callRequest from "../routes/callRequest.ts"
import { A2aError } from "./error.ts"
import { Follower, type Seen } from "./follower.ts"
import * as a2aRequest from "./request.ts"
import { statusOf, Task } from "./task.ts"

/** What goes wrong in an operation. */
export type Fails = A2aError | Runs.RunsError

/** What an operation gives: an answer, or a stream of them. */
export type Given =
  | { readonly _tag: "one"; readonly result: Schema.Json }
  | { readonly _tag: "many"; readonly results: Stream.Stream<Schema.Json, Fails> }

/** A task to be followed: what its stream says first, and as far as it was seen. */
interface Begun {
  readonly head: Head
  readonly first: Schema.JsonObject
  readonly seen: Seen | undefined
}

type Operation = (params: Schema.Json | undefined) => Effect.Effect<Given, Fails>

export class Operations<P, E, R> {
  private readonly agent: Agent.Agent<P, E, R>
  private readonly allowed: ReadonlyArray<string>
  private readonly context: Context.Context<Runs.Runs | MiniAgents.MiniAgents | R>
  private readonly inputModes: ReadonlyArray<string>

  constructor(
    agent: Agent.Agent<P, E, R>,
    { inputModes, parameters = [] }: Options & { readonly inputModes: ReadonlyArray<string> },
    context: Context.Context<Runs.Runs | MiniAgents.MiniAgents | R>
  ) {
    this.agent = agent
    this.allowed = parameters
    this.context = context
    this.inputModes = inputModes
  }

  private readonly send: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const sent = yield* a2aRequest.sent(params, this.inputModes)
      const { head, seen } = yield* this.begin(sent)
      if (sent.returnImmediately) return one({ task: yield* this.taskNow(head) })
      const whole = (follower: Follower) =>
        Effect.andThen(
          Stream.runDrain(follower.updates),
          Effect.map(follower.status, (now) => follower.task.task(now))
        )
      return one({ task: yield* this.following(head, seen, whole) })
    })

  private readonly sendStreaming: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const { first, head, seen } = yield* this.begin(yield* a2aRequest.sent(params, this.inputModes))
      return this.many(head, first, seen)
    })

  private readonly subscribe: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const { head, info } = yield* this.find(yield* a2aRequest.taskId(params))
      if (info.status !== "running") {
        return yield* Effect.fail(new A2aError("UNSUPPORTED_OPERATION", "The task has ended: get it"))
      }
      const { status, ...seen } = yield* this.following(head, undefined, (follower) => follower.snapshot)
      return this.many(head, seen.task.task(status), seen)
    })

  private readonly get: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const { head } = yield* this.find(yield* a2aRequest.taskId(params))
      return one(yield* this.taskNow(head))
    })

  private readonly cancel: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const { head, info } = yield* this.find(yield* a2aRequest.taskId(params))
      if (info.status !== "running") {
        return yield* Effect.fail(new A2aError("TASK_NOT_CANCELABLE", "The task has ended"))
      }
      yield* this.runs((runs) => runs.interrupt(head.id))
      return one(yield* this.taskNow(head))
    })

  private readonly list: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const {
        after = -Infinity,
        contextId,
        includeArtifacts,
        pageSize,
        pageToken,
        status
      } = yield* a2aRequest.listed(params)
      const runs = (yield* this.runs((runs) => runs.list)).flatMap((info) => {
        const head = headOf(info.id)
        return head !== undefined && info.agent === this.agent.name
          ? [{ head, info, at: info.endedAt ?? info.startedAt }]
          : []
      })
      const found = runs
        .filter(({ at, head, info }) => {
          const isOf = contextId === undefined || head.contextId === contextId
          return isOf && at >= after && (status === undefined || `TASK_STATE_${stateOf(info)}` === status)
        })
        .sort((one, other) => other.at - one.at || (one.head.id < other.head.id ? -1 : 1))
      const last = pageToken === undefined ? -1 : found.findIndex(({ head }) => head.id === pageToken)
      if (pageToken !== undefined && last < 0) {
        return yield* Effect.fail(new A2aError("INVALID_PARAMS", "`pageToken`: It is none that was given", "pageToken"))
      }
      const page = found.slice(last + 1, last + 1 + pageSize)
      const tasks = yield* Effect.forEach(page, ({ at, head, info }) =>
        includeArtifacts ? this.taskNow(head) : Effect.succeed({ ...head, status: statusOf(stateOf(info), at) })
      )
      const isLast = last + 1 + page.length >= found.length
      return one({
        tasks,
        nextPageToken: isLast ? "" : page[page.length - 1].head.id,
        pageSize: tasks.length,
        totalSize: found.length
      })
    })

  /** All operations, by their names. */
  readonly all: { readonly [method: string]: Operation | undefined } = {
    __proto__: null as never,
    SendMessage: this.send,
    SendStreamingMessage: this.sendStreaming,
    SubscribeToTask: this.subscribe,
    GetTask: this.get,
    CancelTask: this.cancel,
    ListTasks: this.list,
    CreateTaskPushNotificationConfig: () => a2aRequest.noPush,
    GetTaskPushNotificationConfig: () => a2aRequest.noPush,
    ListTaskPushNotificationConfigs: () => a2aRequest.noPush,
    DeleteTaskPushNotificationConfig: () => a2aRequest.noPush,
    GetExtendedAgentCard: () => Effect.fail(new A2aError("UNSUPPORTED_OPERATION", "There is no extended card"))
  }

  /** Starts a task, or answers one that waits; gives it as it was then. */
  private begin(sent: a2aRequest.Sent): Effect.Effect<Begun, Fails> {
    return Effect.gen({ self: this }, function* () {
      if (sent.taskId !== undefined) return yield* this.goOn(sent, sent.taskId)
      const { allowed } = this
      const given = Object.fromEntries(Object.entries(sent.metadata).filter(([name]) => allowed.includes(name)))
      const parameters = yield* Effect.mapError(
        callRequest.parameters(this.agent.parameters, allowed, given),
        (problem) => new A2aError("INVALID_PARAMS", problem, "metadata")
      )
      const { contextId = SecureRandom.uuidV4Unsafe(), messages } = sent
      const id = `task_${SecureRandom.uuidV4Unsafe().replaceAll("-", "")}.${contextId}`
      const request = { agent: this.agent, input: messages, parameters: parameters as P, options: { id } }
      const started = approvals.byReader(Effect.flatMap(Runs.Runs, (runs) => runs.start(request)))
      yield* Effect.provideContext(started, this.context)
      const head = { id, contextId }
      const first = new Task(head).task(statusOf("SUBMITTED", yield* Clock.currentTimeMillis))
      return { head, first, seen: undefined }
    })
  }

  /** Sends what a task waits for. */
  private goOn(sent: a2aRequest.Sent, id: string): Effect.Effect<Begun, Fails> {
    return Effect.gen({ self: this }, function* () {
      const { head, info } = yield* this.find(id)
      if (sent.contextId !== undefined && sent.contextId !== head.contextId) {
        return yield* Effect.fail(
          new A2aError("INVALID_PARAMS", "`message.contextId`: The task is in another context", "message.contextId")
        )
      }
      const named = sent.metadata.signal
      const signal = typeof named === "string" ? named : info.waiting[0]
      if (signal === undefined || !info.waiting.includes(signal)) {
        const why = info.status === "running" ? "does not wait for a message" : "has ended"
        return yield* Effect.fail(new A2aError("UNSUPPORTED_OPERATION", `The task ${why}`))
      }
      const { said, status, task } = yield* this.following(head, undefined, (follower) => follower.snapshot)
      const first = task.task(status)
      yield* this.runs((runs) => runs.signal(id, signal, a2aRequest.answer(sent, signal)))
      // it may be that it waits for the same once more
      return { head, first, seen: { task, said: said.filter((name) => name !== signal) } }
    })
  }

  /** The task that an id names: a run of this agent. */
  private find(id: string): Effect.Effect<{ readonly head: Head; readonly info: Runs.Info }, Fails> {
    return Effect.gen({ self: this }, function* () {
      const head = headOf(id)
      const info = head === undefined ? undefined : yield* this.runs((runs) => runs.get(id))
      if (head !== undefined && info?.agent === this.agent.name) return { head, info }
      return yield* Effect.fail(new A2aError("TASK_NOT_FOUND", `There is no task \`${id}\``))
    })
  }

  private taskNow(head: Head): Effect.Effect<Schema.JsonObject, Fails> {
    const now = this.following(head, undefined, (follower) => follower.snapshot)
    return Effect.map(now, ({ status, task }) => task.task(status))
  }

  /** The task first, and then what follows. */
  private many(head: Head, task: Schema.JsonObject, seen: Seen | undefined): Given {
    const updates = Stream.unwrap(
      Effect.map(
        this.runs((runs) => Follower.make(runs, head, seen)),
        (follower) => follower.updates
      )
    )
    return { _tag: "many", results: Stream.concat(Stream.make<[Schema.Json]>({ task }), updates) }
  }

  private following<A>(
    head: Head,
    seen: Seen | undefined,
    use: (follower: Follower) => Effect.Effect<A, Runs.RunsError>
  ): Effect.Effect<A, Runs.RunsError> {
    const follower = this.runs((runs) => Follower.make(runs, head, seen))
    return Effect.scoped(Effect.flatMap(follower, use))
  }

  private runs<A, EX, RX>(use: (runs: Runs.Service) => Effect.Effect<A, EX, RX>): Effect.Effect<A, EX, RX> {
    return Effect.flatMap(Effect.provideContext(Runs.Runs, this.context), use)
  }
}

const one = (result: Schema.Json): Given => ({ _tag: "one", result })

const headOf = (id: string): Head | undefined => {
  const contextId = /^task_[0-9a-f]{32}\.([\w-]{1,64})$/.exec(id)?.[1]
  return contextId === undefined ? undefined : { id, contextId }
}

const stateOf = ({ status, waiting }: Runs.Info) =>
  status === "running" ? (waiting.length === 0 ? "WORKING" : "INPUT_REQUIRED") : states[status]
const states = { succeeded: "COMPLETED", failed: "FAILED", interrupted: "CANCELED" } as const
