/**
 * Shows what the agents of a program do while they do it, in a browser on the same machine: who called whom, what is said
 * token by token, who waits for whom, what failed, and what it costs. Nothing leaves the machine.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import process from "node:process"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as HttpRouter from "effect/http/HttpRouter"
import * as LlmLogger from "../llm/model/LlmLogger.ts"
import * as DurableRuns from "../durable/DurableRuns.ts"
import type * as Agent from "../Agent.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Observer from "../Observer.ts"
import * as Store from "../store/Store.ts"
import { Conversations } from "./stored/conversations.ts"
import { Library } from "./stored/library.ts"
import * as Runs from "../runs/Runs.ts"
import * as Guard from "../serve/Guard.ts"
import { Recorder } from "./watch/recorder.ts"
import * as nodeServer from "./server/nodeServer.ts"
import * as RecordFile from "./record/recordFile.ts"
import { Recording } from "./record/recording.ts"
import * as Requests from "./watch/requests.ts"
import * as Server from "./server/server.ts"
import * as Shelf from "./server/shown.ts"
import { Chats } from "./watch/chats.ts"
import * as LiveRuns from "./watch/liveRuns.ts"
import { Program } from "./watch/program.ts"
import type { AnyAgent, Exported } from "./watch/program.ts"
import type { Event } from "./wire.ts"

/**
 * Where the inspector is, and what it keeps.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The port on the loopback interface.
   *
   * @default one that is free
   */
  readonly port?: number | undefined
  /**
   * Where the run is recorded: a folder, in which each run gets a file of its own named by the time when it began, or
   * the name of a new file that ends in `.ndjson`. Nothing is written by default.
   */
  readonly record?: string | undefined
  /**
   * The name of the program, as the page shows it.
   *
   * @default the name of the file that runs
   */
  readonly title?: string | undefined
  /**
   * The secret that has to be in the address of the page.
   *
   * @default a random one
   */
  readonly token?: Redacted.Redacted | undefined
}

/**
 * The inspector could not start: its port is taken, or its file cannot be written.
 *
 * @since 0.1.0
 * @category errors
 */
export class InspectorError extends Schema.TaggedError<InspectorError>()("InspectorError", {
  problem: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `The inspector could not start: ${this.problem}`
  }
}

/**
 * A running inspector: the address of its page, with the token that the page needs, and the file of the recording.
 *
 * @since 0.1.0
 * @category services
 */
export interface Service {
  readonly url: string
  readonly record: string | undefined
}

/**
 * The service of a running inspector.
 *
 * @since 0.1.0
 * @category services
 */
export class Inspector extends Context.Service<Inspector, Service>()("miniagents/inspector/Inspector") {}

/**
 * Shows the runtimes that are built together with this Layer, beside it or on top of it. The address of the page is
 * printed on the standard error output.
 *
 * **When to use**
 *
 * To show the inspector from inside a program. `npx miniagents inspect app.ts` needs no change of the program.
 *
 * **Details**
 *
 * The page is served on the loopback interface alone, and only to who has the token in its address. What a program keeps
 * as `Redacted` is not shown. It ends with the Layer; a run that was recorded can be looked at later with
 * `npx miniagents inspect FILE`.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Inspector } from "miniagents/inspector"
 *
 * const hello = Agent.make("Hello", (ctx) => ctx.reply("hello"))
 * const program = Effect.flatMap(hello.trigger(), (replies) => replies.text).pipe(
 *   Effect.provide(MiniAgents.layer().pipe(Layer.provide(Inspector.layer())))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Inspector, InspectorError> =>
  Layer.unwrap(
    Effect.map(watch(options), (watched) => Layer.merge(Observer.layer(watched.recorder), serve(watched, options)))
  )

/**
 * The same for all runtimes of the process that are made from now on.
 *
 * @internal
 */
export const layerProcess = (
  options: Options = {},
  exported?: Effect.Effect<Exported, never, Scope.Scope>
): Layer.Layer<Inspector, InspectorError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const watched = yield* watch(options, exported)
      yield* Effect.acquireRelease(
        Effect.sync(() => Observer.register(watched.recorder)),
        (remove) => Effect.sync(remove)
      )
      const flush = () => {
        watched.recorder.poll()
        watched.file?.flush()
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => process.on("exit", flush)),
        () => Effect.sync(() => process.off("exit", flush))
      )
      return serve(watched, options)
    })
  )

/**
 * Serves recordings that are there.
 *
 * @internal
 */
export const layerRecordings = (
  shown: ReadonlyArray<Shelf.Shown>,
  options: Options
): Layer.Layer<Inspector, InspectorError> => listen(Shelf.fixed(shown), undefined, options)

/**
 * Shows the durable runs and the conversations of a store, instead of a program: what each run was sent, what it replied
 * and what it was answered, at any moment of it; what it waits for is answered from the page, and it is stopped or run
 * again with other words. A conversation is forked at any of its messages.
 *
 * **Details**
 *
 * Runs that begin again go on here, as far as their agents are among the given ones; those of other agents are taken up
 * by whoever serves them.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { Agent, MiniAgents } from "miniagents"
 * import { DurableRuns } from "miniagents/durable"
 * import { Inspector } from "miniagents/inspector"
 * import { SqliteClient } from "miniagents/sqlite"
 * import { Store } from "miniagents/store"
 *
 * const hello = Agent.make("Hello", (ctx) => ctx.reply("hello"))
 * const inspector = Inspector.layerStore([hello]).pipe(
 *   Layer.provide([DurableRuns.layer(), MiniAgents.layer()]),
 *   Layer.provide(Store.layer()),
 *   Layer.provide(SqliteClient.layer({ filename: "runs.db" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerStore = <const Agents extends ReadonlyArray<Agent.Any> = []>(
  agents?: Agents,
  options: Options = {}
): Layer.Layer<
  Inspector,
  InspectorError,
  Runs.Runs | DurableRuns.DurableRuns | Store.Store | MiniAgents.MiniAgents | Agent.ServicesOf<Agents[number]>
> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const context = yield* Effect.context<MiniAgents.MiniAgents>()
      const known = (agents ?? []) as unknown as ReadonlyArray<AnyAgent> // the Layer requires what they require
      for (const agent of known) yield* DurableRuns.serve(agent)
      const find = (name: string) =>
        Effect.sync(() => {
          const agent = known.find((agent) => agent.name === name)
          return agent === undefined ? undefined : { agent, context }
        })
      const [runs, durable, store] = [yield* Runs.Runs, yield* DurableRuns.DurableRuns, yield* Store.Store]
      const library = new Library({ runs, durable, find, context, classes: yield* Store.CurrentClasses })
      return listen(Shelf.joined(library, new Conversations(store)), undefined, options)
    })
  ) as never // what the agents require is in the context that they are called in

/** A program that is watched. */
interface Watched {
  readonly recorder: Recorder
  readonly recording: Recording
  readonly file: RecordFile.RecordFile | undefined
  readonly title: string
  readonly chats: Chats
}

const watch = (
  options: Options,
  exported?: Effect.Effect<Exported, never, Scope.Scope>
): Effect.Effect<Watched, InspectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const { record, title = titleOf(process.argv[1]) } = options
    const now = clock.currentTimeMillisUnsafe()
    const file =
      record === undefined
        ? undefined
        : yield* Effect.mapError(
            RecordFile.make(RecordFile.nameIn(record, now)),
            (cause) => new InspectorError({ problem: cause.message, cause })
          )
    const recording = new Recording()
    const tell = (event: Event) => {
      recording.add(event)
      file?.add(event)
    }
    const program = new Program(exported === undefined ? undefined : yield* exported)
    const recorder = new Recorder(title, clock, tell, program)
    yield* Effect.acquireRelease(
      Effect.sync(() => LlmLogger.register(Requests.logger(recorder, tell))),
      (remove) => Effect.sync(remove)
    )
    yield* Effect.forkScoped(look(recorder, file))
    yield* Effect.addFinalizer(() => Effect.sync(() => recorder.poll()))
    const runs = yield* Effect.map(Layer.build(Runs.layerMemory({ keep: "1 hour" })), Context.get(Runs.Runs))
    const chats = new Chats(program, recorder, runs, yield* Effect.scope)
    return { recorder, recording, file, title, chats }
  })

/** Gathers from time to time what came meanwhile. */
const look = (recorder: Recorder, file: RecordFile.RecordFile | undefined): Effect.Effect<never> =>
  Effect.gen(function* () {
    for (let turn = 0; ; turn++) {
      yield* Effect.sleep("30 millis")
      recorder.poll()
      if (turn % 8 === 0) {
        recorder.lookForWaits()
        yield* recorder.runs.look
      }
      file?.flush()
    }
  })

const titleOf = (file: string | undefined): string => file?.split(/[\\/]/).at(-1) ?? "program"

const serve = (watched: Watched, options: Options): Layer.Layer<Inspector, InspectorError> => {
  const { chats, file, recorder, recording, title } = watched
  const about = () => ({ id: "live", title, startedAt: recording.startedAt, live: true })
  const acts: Shelf.Acts = {
    chat: {
      agents: recorder.program.agents,
      get: (chat) => chats.get(chat),
      say: (said) => chats.say(said)
    },
    answer: ({ call, name, value }) => recorder.runs.answer(call, name, value),
    stop: (call) => LiveRuns.stop(recorder, call),
    rerun: (again) => LiveRuns.rerun(recorder.runs, recording, again)
  }
  const live = Shelf.fixed([{ recording, about, now: () => recorder.now, acts }])
  return listen(Shelf.joined(live, recorder.runs.stores), file?.file, options)
}

const listen = (
  shelf: Shelf.Shelf,
  record: string | undefined,
  options: Options
): Layer.Layer<Inspector, InspectorError> =>
  Layer.effect(
    Inspector,
    Effect.gen(function* () {
      const { port = 0, token = Redacted.make(SecureRandom.uuidV4Unsafe()) } = options
      const clock = yield* Clock.Clock
      const routes = Server.layer({ token, shelf, asset }).pipe(
        Layer.provide(Guard.layer()),
        Layer.provideMerge(Layer.succeed(Clock.Clock, clock))
      )
      const { handler } = yield* Effect.acquireRelease(
        Effect.sync(() => HttpRouter.toWebHandler(routes, { disableLogger: true })),
        ({ dispose }) => Effect.promise(dispose)
      )
      const bound = yield* Effect.mapError(
        nodeServer.listen(port, handler),
        (cause) => new InspectorError({ problem: `port ${port} cannot be used`, cause })
      )
      const url = `http://127.0.0.1:${bound}/?token=${encodeURIComponent(Redacted.value(token))}`
      yield* Console.error(`Inspector: ${url}`)
      return { url, record }
    })
  )

/** The built page stands beside this module, or in the folder where the package is built. */
const places = ["./page/", "../../dist/inspector/page/"]

const asset = (name: string): Effect.Effect<Uint8Array, unknown> =>
  Effect.suspend(() => {
    const files = places.map((place) => new URL(place + name, import.meta.url))
    const file = files.find((file) => fs.existsSync(file))
    return file === undefined ? Effect.fail("not built") : Effect.sync(() => fs.readFileSync(file))
  })
