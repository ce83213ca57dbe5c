/** Runs in the memory of this process. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as AgentCall from "../AgentCall.ts"
import * as InteractionContext from "../InteractionContext.ts"
import { inside } from "../internal/promise.ts"
import { Reader } from "../internal/ropeReader.ts"
import { CurrentTask } from "../internal/task.ts"
import type { Sequence } from "../internal/sequence.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Transcript from "../Transcript.ts"
import { untilClosing } from "./untilClosing.ts"
import type {
  Info,
  MemoryOptions,
  Reason,
  Request,
  Run,
  RunContext,
  RunsError,
  Service,
  StartOptions,
  Wait
} from "./Runs.ts"

type CurrentRun = Context.Reference<RunContext | undefined>

export const make = (
  options: MemoryOptions,
  error: (reason: Reason) => RunsError,
  CurrentRun: CurrentRun
): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => new MemoryRuns(options, error, CurrentRun, scope))

class MemoryRuns implements Service {
  private readonly runs = new Map<string, MemoryRun>()
  /** The runs whose ids begin with the same up to a slash, in the order in which they began. */
  private readonly groups = new Map<string, Set<MemoryRun>>()
  /** How many of them go on. */
  private running = 0
  private readonly keep: Duration.Duration
  private readonly options: MemoryOptions
  private readonly error: (reason: Reason) => RunsError
  private readonly CurrentRun: CurrentRun
  private readonly scope: Scope.Scope

  constructor(
    options: MemoryOptions,
    error: (reason: Reason) => RunsError,
    CurrentRun: CurrentRun,
    scope: Scope.Scope
  ) {
    this.options = options
    this.keep = Duration.fromInputUnsafe(options.keep ?? "5 minutes")
    this.error = error
    this.CurrentRun = CurrentRun
    this.scope = scope
  }

  readonly start = <P, E, R>(
    request: Request<P, E, R>
  ): Effect.Effect<Run<unknown>, RunsError, R | MiniAgents.MiniAgents> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const { agent, options } = request
      const id = options.id ?? SecureRandom.uuidV4Unsafe()
      const known = this.runs.get(id)
      if (known !== undefined) {
        return known.agent === agent.name
          ? known.run
          : Effect.fail(this.error({ _tag: "OtherAgent", id, agent: known.agent }))
      }
      const { max } = this.options
      if (max !== undefined && this.running >= max) return Effect.fail(this.error({ _tag: "TooMany", max }))
      const run = new MemoryRun(id, agent.name, now, options, this.options.linger, this.error)
      this.runs.set(id, run)
      this.group(run)
      this.running++
      return Effect.andThen(this.launch(run, request), run.run)
    })

  readonly get = (id: string): Effect.Effect<Info, RunsError> => Effect.map(this.find(id), (run) => run.info)

  readonly list: Effect.Effect<ReadonlyArray<Info>> = Effect.sync(() => [...this.runs.values()].map(({ info }) => info))

  readonly last = (agent: string, prefix: string): Effect.Effect<Info | undefined> =>
    Effect.sync(() => [...(this.groups.get(prefix) ?? [])].findLast((run) => run.agent === agent)?.info)

  readonly read = (id: string, from: Transcript.Position | undefined): Stream.Stream<Transcript.Event, RunsError> =>
    Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const run = yield* this.find(id)
        yield* Effect.acquireRelease(run.enter, () => Effect.andThen(run.leave, this.linger(run)))
        const replies = yield* Effect.flatMap(run.run, ({ replies }) => replies)
        return Stream.mapArrayEffect(Transcript.encode(replies, { from, error: run.errorSchema }), run.settled)
      })
    )

  readonly interrupt = (id: string): Effect.Effect<void, RunsError> =>
    Effect.flatMap(this.find(id), (run) => run.interrupt)

  readonly signal = (id: string, name: string, value: Schema.Json): Effect.Effect<void, RunsError> =>
    Effect.flatMap(this.find(id), (run) => run.signal(name, value))

  private group(run: MemoryRun): void {
    const prefix = prefixOf(run.id)
    if (prefix === "") return
    const group = this.groups.get(prefix) ?? new Set()
    this.groups.set(prefix, group.add(run))
  }

  private forget(run: MemoryRun): void {
    this.runs.delete(run.id)
    const group = this.groups.get(prefixOf(run.id))
    group?.delete(run)
    if (group?.size === 0) this.groups.delete(prefixOf(run.id))
  }

  private find(id: string): Effect.Effect<MemoryRun, RunsError> {
    return Effect.suspend(() => {
      const run = this.runs.get(id)
      return run === undefined ? Effect.fail(this.error({ _tag: "NotFound", id })) : Effect.succeed(run)
    })
  }

  /** Begins a run, as nobody's child but this Layer's, and sees to its end. */
  private launch<P, E, R>(
    run: MemoryRun,
    request: Request<P, E, R>
  ): Effect.Effect<void, never, R | MiniAgents.MiniAgents> {
    const open = Effect.gen(function* () {
      const call = yield* (request.agent.call as Open<P, R>)(request.parameters)
      yield* call.send(request.input as [])
      return { call, replies: yield* call.replies() }
    })
    const going = Effect.gen({ self: this }, function* () {
      const opened = yield* Effect.exit(open)
      if (Exit.isFailure(opened)) this.forget(run)
      yield* Deferred.done(run.opened, opened)
      if (Exit.isFailure(opened)) return undefined
      yield* this.linger(run)
      return yield* untilClosing(run.interrupt)(endOf(opened.value.replies as Sequence))
    })
    const ended = (exit: Exit.Exit<Exit.Exit<unknown, unknown> | void>) => {
      this.running--
      return run.end(Exit.isSuccess(exit) ? (exit.value ?? Exit.void) : exit)
    }
    const life = Effect.gen({ self: this }, function* () {
      yield* Effect.onExit(Effect.scoped(going), ended)
      yield* Effect.sleep(this.keep)
      this.forget(run)
    })
    return Effect.contextWith((context: Context.Context<R | MiniAgents.MiniAgents>) => {
      // what belongs to the call or the request that starts it is not the run's
      const own = Context.omit(
        CurrentTask,
        InteractionContext.InteractionContext
      )(context).pipe(Context.add(this.CurrentRun, run)) as Context.Context<R | MiniAgents.MiniAgents> // an agent is given its own InteractionContext
      return Effect.asVoid(Effect.forkIn(Effect.setContext(life, own), this.scope))
    })
  }

  /** Interrupts a run that nobody comes to read in time. */
  private linger(run: MemoryRun): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { linger } = run
      if (linger === undefined || run.readers > 0 || run.status !== "running") return Effect.void
      const timer = Effect.forkIn(Effect.andThen(Effect.sleep(linger), run.interrupt), this.scope)
      return Effect.map(timer, (fiber) => {
        run.timer = fiber
      })
    })
  }
}

/** What the ids of runs that belong together begin with, if they do. */
const prefixOf = (id: string): string => id.slice(0, id.indexOf("/") + 1)

/** How an agent is called with all of its parameters, whatever they are. */
type Open<P, R> = (
  parameters: P
) => Effect.Effect<AgentCall.AgentCall<unknown, unknown>, never, R | MiniAgents.MiniAgents>

/** Waits for the end of a sequence and of all of its messages, without being a reader of them. */
const endOf = (sequence: Sequence): Effect.Effect<Exit.Exit<unknown, unknown>> =>
  Effect.suspend(() => {
    const reader = new Reader(sequence, "none")
    const step: Effect.Effect<Exit.Exit<unknown, unknown>> = Effect.suspend(() => {
      for (let some = reader.read(); some.length > 0; some = reader.read()) {
        const open = some.filter((promise) => inside(promise).whole === undefined)
        if (open.length === 0) continue
        const ends = Effect.forEach(open, (promise) => Effect.exit(inside(promise).watched.message), { discard: true })
        return Effect.flatMap(ends, () => step)
      }
      return reader.exit === undefined
        ? Effect.flatMap(reader.blocked!.changedFor("none"), () => step)
        : Effect.succeed(reader.exit)
    })
    return step
  })

interface Opened {
  readonly call: AgentCall.AgentCall<unknown, unknown>
  readonly replies: MessageSequence.MessageSequence<unknown>
}

type Events = Arr.NonEmptyReadonlyArray<Transcript.Event>

interface Waiting {
  readonly wait: Wait
  readonly check: (value: Schema.Json) => string | undefined
  readonly resume: (value: Schema.Json) => void
}

class MemoryRun implements RunContext {
  readonly id: string
  readonly agent: string
  readonly errorSchema: Schema.Codec<unknown, unknown> | undefined
  readonly linger: Duration.Input | undefined
  readonly opened = Deferred.makeUnsafe<Opened>()
  status: Info["status"] = "running"
  readers = 0
  timer: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private readonly ended = Deferred.makeUnsafe<void>()
  private readonly startedAt: number
  private endedAt: number | undefined = undefined
  private readonly error: (reason: Reason) => RunsError
  private readonly waiting = new Map<string, Array<Waiting>>()
  private readonly sent = new Map<string, Array<Schema.Json>>()

  constructor(
    id: string,
    agent: string,
    startedAt: number,
    options: StartOptions<unknown>,
    linger: Duration.Input | undefined,
    error: (reason: Reason) => RunsError
  ) {
    this.id = id
    this.agent = agent
    this.startedAt = startedAt
    this.errorSchema = options.error
    this.linger = options.linger ?? linger
    this.error = error
  }

  get run(): Effect.Effect<Run<unknown>> {
    return Effect.map(Deferred.await(this.opened), ({ replies }) => ({
      id: this.id,
      replies: Effect.succeed(replies)
    }))
  }

  get info(): Info {
    const { agent, endedAt, id, startedAt, status } = this
    const waits = [...this.waiting.values()].flatMap((all) => all.map(({ wait }) => wait))
    const waiting = waits.map(({ name }) => name)
    return { id, agent, status, startedAt, waiting, waits, ...(endedAt === undefined ? {} : { endedAt }) }
  }

  readonly enter = Effect.suspend(() => {
    this.readers++
    const { timer } = this
    this.timer = undefined
    return timer === undefined ? Effect.void : Fiber.interrupt(timer)
  })

  readonly leave = Effect.sync(() => {
    this.readers--
  })

  readonly interrupt: Effect.Effect<void> = Effect.suspend(() =>
    this.status !== "running"
      ? Effect.void
      : Effect.flatMap(Deferred.await(this.opened), ({ call }) =>
          Effect.andThen(call.interrupt, Deferred.await(this.ended))
        )
  )

  /** Who has read the end of a run finds that it has ended. */
  readonly settled = (events: Events): Effect.Effect<Events> =>
    "at" in events[events.length - 1] ? Effect.succeed(events) : Effect.as(Deferred.await(this.ended), events)

  end(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      this.endedAt = now
      this.status = Exit.isSuccess(exit) ? "succeeded" : Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failed"
      const { timer } = this
      Deferred.doneUnsafe(this.ended, Exit.void)
      return timer === undefined ? Effect.void : Fiber.interrupt(timer)
    })
  }

  readonly wait: RunContext["wait"] = (wait, check) =>
    Effect.callback<Schema.Json>((resume) => {
      const { name } = wait
      const sent = this.sent.get(name)
      const index = sent?.findIndex((value) => check(value) === undefined) ?? -1
      if (index >= 0) return resume(Effect.succeed(sent!.splice(index, 1)[0]))
      const waiter: Waiting = { wait, check, resume: (value) => resume(Effect.succeed(value)) }
      const all = this.waiting.get(name) ?? []
      this.waiting.set(name, [...all, waiter])
      return Effect.sync(() => this.forget(name, waiter))
    })

  signal(name: string, value: Schema.Json): Effect.Effect<void, RunsError> {
    return Effect.suspend(() => {
      const waiters = this.waiting.get(name) ?? []
      const fitting = waiters.find(({ check }) => check(value) === undefined)
      if (fitting !== undefined) {
        this.forget(name, fitting)
        fitting.resume(value)
      } else if (waiters.length > 0) {
        const problem = waiters[0].check(value)!
        return Effect.fail(this.error({ _tag: "InvalidSignal", id: this.id, signal: name, problem }))
      } else this.sent.set(name, [...(this.sent.get(name) ?? []), value])
      return Effect.void
    })
  }

  private forget(name: string, waiter: Waiting): void {
    const left = (this.waiting.get(name) ?? []).filter((other) => other !== waiter)
    if (left.length === 0) this.waiting.delete(name)
    else this.waiting.set(name, left)
  }
}
