/** What makes durable runs go: who opens them, what they write, and who takes them up. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as Agent from "../Agent.ts"
import type { Sequence } from "../internal/sequence.ts"
import * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import { untilClosing } from "../runs/untilClosing.ts"
import { CurrentClasses } from "../store/engine.ts"
import * as Transcript from "../Transcript.ts"
import { Journal } from "./journal.ts"
import { KeptRuns } from "./keptRuns.ts"
import { type Entry, launch, type Server, within } from "./launch.ts"
import * as Linger from "./linger.ts"
import * as Reader from "./reader.ts"
import { Follower } from "./recorder.ts"
import {
  type Any,
  decodeParameters,
  encodeParameters,
  eventsOf,
  isWhole,
  lostInput,
  ownContext,
  refused
} from "./request.ts"
import * as Rerun from "./rerun.ts"
import { DurableRun, infoOf, refusalOf } from "./run.ts"
import { follow, interrupt } from "./speaker.ts"
import * as Rows from "./tables.ts"
import { Fenced, Writer } from "./writer.ts"

export interface Options {
  readonly partial: "continue" | "restart"
  readonly lease: Duration.Duration
  readonly linger: Duration.Input | undefined
  readonly max: number | undefined
}

export const make = (tables: Rows.Tables, options: Options): Effect.Effect<Engine, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const engine = new Engine(tables, options, scope)
    yield* Effect.addFinalizer(() => engine.close)
    yield* Effect.forkIn(engine.writer.run, scope)
    yield* Effect.forkIn(engine.watch, scope)
    return engine
  })

export class Engine implements Runs.Service {
  readonly writer: Writer
  readonly kept: KeptRuns
  private readonly tables: Rows.Tables
  private readonly options: Options
  private readonly scope: Scope.Scope
  private readonly entries = new Map<string, Entry>()
  private readonly servers = new Map<string, Server>()
  /** Runs that others hold, to be taken up when they let go of them. */
  private readonly standbys = new Map<string, Server>()
  private readonly held = new Set<DurableRun>()
  private readonly lease: number
  /** Lies between two looks at the tables. */
  private readonly pause: Effect.Effect<void>

  constructor(tables: Rows.Tables, options: Options, scope: Scope.Scope) {
    this.tables = tables
    this.writer = new Writer(tables)
    this.kept = new KeptRuns(tables)
    this.options = options
    this.scope = scope
    this.lease = Duration.toMillis(options.lease)
    this.pause = tables.changed ?? Effect.sleep(Math.min(500, this.lease / 5))
  }

  readonly start = <P, E, R>(
    request: Runs.Request<P, E, R>
  ): Effect.Effect<Runs.Run<unknown>, Runs.RunsError, R | MiniAgents.MiniAgents> =>
    Effect.contextWith((context: Context.Context<R | MiniAgents.MiniAgents>) => {
      const { agent, options } = request
      const id = options.id ?? SecureRandom.uuidV4Unsafe()
      const known = this.entries.get(id)
      if (known !== undefined) {
        return known.agent === agent.name
          ? Deferred.await(known.given)
          : Effect.fail(refused({ _tag: "OtherAgent", id, agent: known.agent }))
      }
      const { max } = this.options
      if (max !== undefined && this.entries.size >= max) return Effect.fail(refused({ _tag: "TooMany", max }))
      return this.enter(id, request as unknown as Any, context, (entry, server) =>
        this.begin(id, entry, request as unknown as Any, server)
      )
    })

  readonly get = (id: string): Effect.Effect<Runs.Info, Runs.RunsError> =>
    Effect.map(this.kept.find(id), (row) => infoOf(row, this.entries.get(id)?.run))

  readonly list: Effect.Effect<ReadonlyArray<Runs.Info>> = Effect.suspend(() =>
    this.kept.outside(this.tables.list)
  ).pipe(
    Effect.map((rows) => rows.map((row) => infoOf(row, this.entries.get(row.id)?.run))),
    Effect.orDie
  )

  readonly read = (
    id: string,
    from: Transcript.Position | undefined
  ): Stream.Stream<Transcript.Event, Runs.RunsError> => {
    if (from !== undefined && !Schema.is(Transcript.Position)(from)) {
      return Stream.die(new Error(`\`from\` must be a position such as "3.120", got \`${from}\``))
    }
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const row = yield* this.kept.find(id)
        const run = this.entries.get(id)?.run
        const follower = new Follower(from)
        const stored = (had: number) =>
          Reader.stored((after) => this.kept.events(row, after), had, follower, this.pause)
        if (run === undefined || run.isOver) return stored(0)
        yield* Effect.acquireRelease(Linger.enter(run), () => Linger.leave(run, this.stop(run), this.scope))
        return Reader.open(run, follower, stored)
      })
    )
  }

  readonly interrupt = (id: string): Effect.Effect<void, Runs.RunsError> =>
    Effect.gen({ self: this }, function* () {
      const row = yield* this.kept.find(id)
      if (row.status !== "running") return
      const run = this.entries.get(id)?.run
      if (run !== undefined && !run.isOver) return yield* this.stop(run)
      yield* this.kept.outside(this.tables.send({ run: row.n, kind: "interrupt", name: "", value: "null" }))
      // whoever has it open ends it; if nobody has, this does
      const isOver = Effect.gen({ self: this }, function* () {
        const now = yield* Clock.currentTimeMillis
        const taken = yield* this.kept.outside(this.tables.take(id, now, this.until(now)))
        if (taken !== undefined) yield* this.kept.outside(interrupt(this.tables, taken, now))
        return (yield* this.kept.find(id)).status !== "running"
      })
      yield* Effect.repeat(
        Effect.tap(isOver, (isOver) => (isOver ? Effect.void : this.pause)),
        {
          until: (isOver) => isOver
        }
      )
    })

  readonly signal = (id: string, name: string, value: Schema.Json): Effect.Effect<void, Runs.RunsError> =>
    Effect.gen({ self: this }, function* () {
      const row = yield* this.kept.find(id)
      const run = this.entries.get(id)?.run
      const problem = run === undefined ? refusalOf(row, name, value) : run.refusal(name, value)
      if (problem !== undefined) return yield* refused({ _tag: "InvalidSignal", id, signal: name, problem })
      const signal = { run: row.n, kind: "signal", name, value: JSON.stringify(value) } as const
      const n = yield* this.kept.outside(this.tables.send(signal))
      run?.receive({ ...signal, n })
    })

  /** Begins a run that takes what it asks from what another one was answered. */
  rerun(id: string, options: Rerun.Options): Effect.Effect<Runs.Run<unknown>, Runs.RunsError, MiniAgents.MiniAgents> {
    return Effect.gen({ self: this }, function* () {
      const context = yield* Effect.context<MiniAgents.MiniAgents>()
      const found = yield* this.kept.find(id)
      const own = this.servers.get(found.agent)
      const server: Server | undefined =
        options.agent === undefined ? own : { agent: options.agent, error: options.error, context: ownContext(context) }
      const again = options.id ?? SecureRandom.uuidV4Unsafe()
      const startedAt = yield* Clock.currentTimeMillis
      const log = this.kept.outside(this.tables.log(found.n, 0, ["input"]))
      const { body, parameters } = yield* Rerun.sent(options, found, log, server?.agent)
      const added = yield* this.kept.outside(
        this.tables.add(
          {
            ...{ id: again, agent: server?.agent.name ?? found.agent, startedAt, source: found.n },
            ...{ parameters, lease: 0 } // whoever takes it up first
          },
          body === undefined ? [] : [{ seq: 1, kind: "input", body }]
        )
      )
      if (added?.source !== found.n) return yield* refused({ _tag: "OtherAgent", id: again, agent: found.agent })
      if (server === undefined) return this.view(again, { context: ownContext(context), error: options.error })
      const request = { agent: server.agent, input: [], parameters: {}, options: { id: again, error: server.error } }
      return yield* this.enter(again, request, server.context, (entry, own) =>
        this.resume(again, entry, own, startedAt)
      )
    })
  }

  /** Takes up runs of an agent that nobody holds, for as long as the scope is open. */
  serve<P, E, R>(
    agent: Agent.Agent<P, E, R>,
    error: Schema.Codec<unknown, unknown> | undefined
  ): Effect.Effect<void, never, R | MiniAgents.MiniAgents | Scope.Scope> {
    return Effect.contextWith((context: Context.Context<R | MiniAgents.MiniAgents>) => {
      const server: Server = { agent: agent as unknown as Any["agent"], error, context: ownContext(context) }
      const { name } = agent
      const add = Effect.sync(() => void this.servers.set(name, server))
      const remove = Effect.sync(() => {
        if (this.servers.get(name) === server) this.servers.delete(name)
      })
      return Effect.andThen(
        Effect.acquireRelease(add, () => remove),
        this.takeUp
      )
    })
  }

  /** Lets go of all runs: others can take them up at once. */
  get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const runs = [...this.held]
      yield* this.writer.close
      for (const run of runs) if (!run.isOver) run.lost(Cause.interrupt())
      const rows = runs.map(({ row }) => row)
      yield* Effect.ignore(this.kept.outside(this.tables.hold(rows, 0)))
    })
  }

  /** Holds the runs that are open here, hears what they are sent, and takes up what nobody holds. */
  readonly watch: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    let held = 0
    const round = Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      const runs = [...this.held].filter(({ isOver }) => !isOver)
      if (runs.length > 0 && this.tables.changed === undefined && now - held >= this.lease / 3) {
        const rows = runs.map(({ row }) => row)
        const owned = yield* this.kept.outside(this.tables.hold(rows, this.until(now)))
        held = now
        for (const run of runs) if (!owned.has(run.row.n)) run.lost(Cause.fail(new Fenced()))
      }
      if (runs.length > 0) yield* this.hear(runs)
      if (this.servers.size + this.standbys.size > 0) yield* this.takeUp
    })
    // what cannot be read now is read the next time
    const logged = Effect.catchCause(round, (cause) => Effect.logWarning("Could not look after the runs", cause))
    return yield* Effect.forever(Effect.andThen(this.pause, logged))
  })

  private hear(runs: ReadonlyArray<DurableRun>): Effect.Effect<void, Runs.RunsError> {
    return Effect.gen({ self: this }, function* () {
      const byNumber = new Map(runs.map((run) => [run.row.n, run]))
      for (const signal of yield* this.kept.outside(this.tables.signals([...byNumber.keys()]))) {
        const run = byNumber.get(signal.run)!
        if (signal.kind === "signal") run.receive(signal)
        else if (!run.stopped) yield* Effect.forkIn(this.stop(run), this.scope)
      }
    })
  }

  private readonly takeUp: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const now = yield* Clock.currentTimeMillis
    for (const { agent, id } of yield* this.kept.outside(this.tables.lapsed(now))) {
      const server = this.standbys.get(id) ?? this.servers.get(agent)
      if (server === undefined || this.entries.has(id)) continue
      this.standbys.delete(id)
      const request = { agent: server.agent, input: [], parameters: {}, options: { id, error: server.error } }
      yield* this.enter(id, request, server.context, (entry, own) => this.resume(id, entry, own, now))
    }
  }).pipe(Effect.catchCause((cause) => Effect.logWarning("Could not take up runs", cause)))

  /** Opens a run, as nobody's child but this Layer's. */
  private enter(
    id: string,
    request: Any,
    context: Context.Context<never>,
    open: (entry: Entry, server: Server) => Effect.Effect<DurableRun | undefined, Runs.RunsError>
  ): Effect.Effect<Runs.Run<unknown>, Runs.RunsError> {
    const entry: Entry = { agent: request.agent.name, given: Deferred.makeUnsafe(), run: undefined }
    this.entries.set(id, entry)
    const server: Server = { agent: request.agent, error: request.options.error, context: ownContext(context) }
    const leave = Effect.sync(() => {
      if (this.entries.get(id) === entry) this.entries.delete(id)
    })
    const life = open(entry, server).pipe(
      Effect.tapCause((cause) => Deferred.failCause(entry.given, cause)),
      Effect.flatMap((run) => (run === undefined ? Effect.void : this.follow(run, server))),
      // its calls end when this has ended: that is not how they are to be found by who takes it up
      Effect.onInterrupt(() => Effect.sync(() => entry.run?.lost(Cause.interrupt()))),
      Effect.ensuring(leave),
      Effect.catchCause((cause) =>
        Deferred.isDoneUnsafe(entry.given) ? Effect.void : Deferred.failCause(entry.given, cause as never)
      )
    )
    return Effect.andThen(
      Effect.forkIn(Effect.setContext(life, server.context), this.scope),
      Deferred.await(entry.given)
    )
  }

  /** A new run, or the one that there is. */
  private begin(
    id: string,
    entry: Entry,
    request: Any,
    server: Server
  ): Effect.Effect<DurableRun | undefined, Runs.RunsError> {
    return Effect.gen({ self: this }, function* () {
      const now = yield* Clock.currentTimeMillis
      if (request.options.id !== undefined && (yield* this.kept.outside(this.tables.find(id))) !== undefined) {
        return yield* this.resume(id, entry, server, now)
      }
      const input = yield* within(server, MessageSequence.from(request.input as []) as unknown as Making)
      const parameters = yield* Effect.orDie(encodeParameters(request.agent)(request.parameters))
      const rows = isWhole(input)
        ? [{ seq: 1, kind: "input" as const, body: JSON.stringify(yield* eventsOf(input)) }]
        : []
      const row = yield* this.kept.outside(
        this.tables.add(
          {
            ...{ id, agent: request.agent.name, startedAt: now, lease: this.until(now) },
            ...{ parameters: JSON.stringify(parameters), source: undefined }
          },
          rows
        )
      )
      if (row === undefined) return yield* this.resume(id, entry, server, now)
      const run = this.open(row, new Journal([]), { events: [], seq: rows.length }, entry, request.options.error)
      const launched = Effect.andThen(
        Linger.arm(run, request.options.linger ?? this.options.linger, this.stop(run), this.scope),
        launch(run, entry, server, request.parameters, input)
      )
      yield* Effect.tapCause(launched, () => Effect.ignore(this.kept.outside(this.tables.remove(row.n))))
      if (rows.length === 0) {
        const kept = Effect.map(eventsOf(input), (events) => run.append("input", events))
        yield* Effect.forkIn(kept, this.scope)
      }
      return run
    })
  }

  /** A run that is in the tables: taken up where nobody holds it, and else read from there. */
  private resume(
    id: string,
    entry: Entry,
    server: Server,
    now: number
  ): Effect.Effect<DurableRun | undefined, Runs.RunsError> {
    return Effect.gen({ self: this }, function* () {
      const found = yield* this.kept.find(id)
      if (found.agent !== entry.agent) return yield* refused({ _tag: "OtherAgent", id, agent: found.agent })
      const row =
        found.status === "running" ? yield* this.kept.outside(this.tables.take(id, now, this.until(now))) : undefined
      if (row === undefined) {
        if (found.status === "running") this.standbys.set(id, server)
        yield* Deferred.succeed(entry.given, this.view(id, server))
        return undefined
      }
      const [rows, source] = [
        yield* this.toRun(row.n),
        row.source === undefined ? undefined : yield* this.toRun(row.source)
      ]
      const said = yield* this.kept.outside(this.tables.said(row.n))
      const run = this.open(row, new Journal(rows, source), said, entry, server.error)
      for (const signal of yield* this.kept.outside(this.tables.signals([row.n]))) {
        if (signal.kind === "signal") run.receive(signal)
        else run.stopped = true
      }
      const kept = rows.find(({ kind }) => kind === "input") ?? source?.find(({ kind }) => kind === "input")
      const events = kept === undefined ? [lostInput] : (JSON.parse(kept.body) as ReadonlyArray<Transcript.Event>)
      const classes = Context.get(server.context, CurrentClasses)
      const input = yield* within(server, Transcript.decode(Stream.fromIterable(events), { classes }))
      const parameters = yield* Effect.orDie(decodeParameters(server.agent)(JSON.parse(row.parameters)))
      yield* launch(run, entry, server, parameters, input)
      if (run.stopped) yield* Effect.forkIn(this.stop(run), this.scope)
      return run
    })
  }

  /** What a run was sent, and what it needs to run again. */
  private toRun(run: number): Effect.Effect<ReadonlyArray<Rows.LogRow>, Runs.RunsError> {
    return this.kept.outside(this.tables.log(run, 0, ["input", ...Rows.JOURNAL]))
  }

  private open(
    row: Rows.Run,
    journal: Journal,
    said: Rows.Said,
    entry: Entry,
    error: Schema.Codec<unknown, unknown> | undefined
  ): DurableRun {
    const run = new DurableRun(row, journal, said, this.writer, { partial: this.options.partial, error })
    entry.run = run
    this.held.add(run)
    return run
  }

  private follow(run: DurableRun, server: Server): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const letGo = Effect.sync(() => run.lost(Cause.interrupt()))
      yield* within(server, untilClosing(letGo)(follow(run)))
      // one that could not be written can go on elsewhere; what is another one's by now stays as it is
      if (run.lostBy !== undefined) yield* Effect.ignore(this.kept.outside(this.tables.hold([run.row], 0)))
      this.held.delete(run) // not before: if all of this closes meanwhile, it is let go of there
      const { timer } = run
      if (timer !== undefined) yield* Fiber.interrupt(timer)
    })
  }

  private stop(run: DurableRun): Effect.Effect<void> {
    return Effect.suspend(() => {
      run.stopped = true
      return Effect.andThen(
        Effect.flatMap(Effect.orDie(Deferred.await(run.opened)), ({ call }) => call.interrupt),
        Deferred.await(run.left)
      )
    })
  }

  /** What is given of a run that is not open here. */
  private view(id: string, { context, error }: Omit<Server, "agent">): Runs.Run<unknown> {
    const classes = Context.get(context, CurrentClasses)
    const replies = Transcript.decode(this.read(id, undefined), { classes, error })
    return { id, replies: within({ context }, replies) }
  }

  /** What nobody else can see needs no lease: it is let go of, or gone. */
  private until(now: number): number {
    return this.tables.changed === undefined ? now + this.lease : Number.POSITIVE_INFINITY
  }
}

/** Sequences are made in one place. */
type Making = Effect.Effect<Sequence, never, MiniAgents.MiniAgents>
