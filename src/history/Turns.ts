/**
 * Turns of conversations: two turns of one conversation that are taken at the same time, such as in two tabs, run one
 * after the other.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { isPlatformError, type PlatformError } from "effect/PlatformError"
import * as RcMap from "effect/RcMap"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Struct from "effect/Struct"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Agent from "../Agent.ts"
import * as FileError from "../internal/fileError.ts"
import * as FileLock from "./FileLock.ts"
import * as SqlTurns from "./sqlTurns.ts"
import { turnName } from "./turnName.ts"

/**
 * The service that gives turns of conversations, each conversation to one at a time.
 *
 * **When to use**
 *
 * If several places can speak in one conversation at the same time. A turn reads the history, asks the model and keeps
 * its reply. Without this service, messages of two turns can get mixed up in the history.
 *
 * @see layerMemory for one process
 * @see layerFile for all processes of one machine
 * @see layerSql for all processes that share a database
 * @since 0.1.0
 * @category services
 */
export class Turns extends Context.Service<Turns, Service>()("miniagents/history/Turns") {}

/**
 * The operation of the service `Turns`.
 *
 * Laws: **Alone** (of two effects with the turn of one conversation one ends before the other begins, and those of
 * different conversations do not wait for each other) and **Given back** (however an effect ends, the next one begins).
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Waits for the turn of a conversation and has it until the scope closes. */
  readonly take: (conversation: string) => Effect.Effect<void, TurnError, Scope.Scope>
}

/**
 * A turn of a conversation could not be taken.
 *
 * @since 0.1.0
 * @category errors
 */
export class TurnError extends Schema.TaggedError<TurnError>()("TurnError", {
  conversation: Schema.String,
  reason: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `Could not take the turn of the conversation \`${this.conversation}\`: ${this.reason}`
  }
}

/**
 * Runs an effect while no other turn of the conversation runs. Effects that wait run in the order in which they came.
 *
 * **Details**
 *
 * An effect that has the turn already has it in all that it runs, so this can be nested. To wait without end for a turn
 * that is never given back is prevented with `Effect.timeout`.
 *
 * **Gotchas**
 *
 * Triggering an agent does not wait for its reply: read the reply inside of the effect, as by keeping it in the
 * history, or take `Turns.make`.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Message } from "miniagents"
 * import { SqlHistory, Turns } from "miniagents/history"
 *
 * const assistant = Agent.make("Assistant", Effect.fnUntraced(function*(ctx) {
 *   yield* ctx.reply(Message.assistant(`You said: ${yield* ctx.messages.text}`))
 * }))
 *
 * const turn = (conversation: string, text: string) =>
 *   Effect.gen(function*() {
 *     const history = yield* SqlHistory.make({ conversation })
 *     const before = yield* history.trigger(Message.user(text), { returnFullHistory: true })
 *     return yield* (yield* history.trigger(yield* assistant.trigger(before))).messages
 *   }).pipe(Turns.withTurn(conversation))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withTurn =
  (conversation: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | TurnError, R | Turns> =>
    Effect.flatMap(CurrentTurns, (turns) => {
      if (turns.has(conversation)) return effect
      const mine = Effect.provideService(effect, CurrentTurns, new Set([...turns, conversation]))
      return Effect.scopedWith((scope) =>
        Turns.use(({ take }) => Scope.provide(take(conversation), scope)).pipe(Effect.andThen(mine))
      )
    })

/**
 * Makes an agent whose calls wait for the turn of a conversation, and have it until all of the reply is there. It takes
 * the parameters that the original takes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <P, E, R>(
  agent: Agent.Agent<P, E, R>,
  options: { readonly conversation: string; readonly name?: string }
): Agent.Agent<P, E | TurnError, R | Turns> => {
  const { conversation, name = agent.name } = options
  // a fork may have been given some of them already: it says itself which ones it still needs
  const parameters = Struct.map(agent.parameters.fields, Schema.optionalKey)
  const described = agent.description === undefined ? { parameters } : { description: agent.description, parameters }
  const target = agent as unknown as Agent.Agent<{}, unknown, never>
  return Agent.make(name, described, (ctx) =>
    Effect.gen(function* () {
      const replies = yield* target.trigger(ctx.messages, ctx.parameters)
      yield* ctx.reply(replies)
      yield* Effect.exit(replies.messages) // a failure is passed on
    }).pipe(withTurn(conversation))
  ) as never // the errors and requirements are those of the original
}

/** The conversations whose turn an effect has. */
const CurrentTurns = Context.Reference<ReadonlySet<string>>("miniagents/history/Turns/CurrentTurns", {
  defaultValue: () => new Set()
})

/** The turns of one process. Nothing is left of a conversation in which nobody has or waits for a turn. */
const queues = Effect.map(RcMap.make({ lookup: (_conversation: string) => Semaphore.make(1) }), (semaphores) => {
  return Effect.fnUntraced(function* (conversation: string) {
    const semaphore = yield* RcMap.get(semaphores, conversation)
    yield* Effect.uninterruptibleMask((restore) =>
      Effect.andThen(
        restore(semaphore.take(1)),
        Effect.addFinalizer(() => semaphore.release(1))
      )
    )
  })
})

/**
 * Turns among the fibers of one process.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<Turns> = Layer.effect(
  Turns,
  Effect.map(queues, (take) => ({ take }))
)

/**
 * Turns among all processes of one machine, by lock files in a folder, which is made if it is not there. A process that is
 * killed gives its turns back.
 *
 * **Details**
 *
 * In a process turns are given in the order in which they were asked for. Between processes there is no order: whoever
 * looks first when the file is gone has the turn.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFile = (options: {
  readonly folder: string
}): Layer.Layer<Turns, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    Turns,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const takeHere = yield* queues
      const take = (conversation: string) => {
        const file = path.join(options.folder, `turn-${turnName(conversation)}`)
        return fs
          .makeDirectory(options.folder, { recursive: true })
          .pipe(
            Effect.andThen(FileLock.acquire(file)),
            Effect.retry({ while: (error) => error._tag === "Locked", schedule: Schedule.spaced("50 millis") }),
            Effect.mapError(failed(conversation, file)),
            Effect.provideService(FileSystem.FileSystem, fs)
          )
      }
      return { take: (conversation) => Effect.andThen(takeHere(conversation), take(conversation)) }
    })
  )

/**
 * Turns among all processes that share a database, on any machine: SQLite or Postgres. A process that is killed gives its
 * turns back when its `lease` has expired, by the clock of the database.
 *
 * **Details**
 *
 * In a process turns are given in the order in which they were asked for. Between processes there is no order: whoever
 * looks first has the turn. It is kept in a row of the table `turns`, written again every sixth of the lease. An effect
 * whose turn cannot be kept, because the database was not reached for half of the lease, is interrupted, and a warning
 * says so: another one may begin once the lease has expired.
 *
 * **Gotchas**
 *
 * Take a turn before a transaction begins, not inside of it: where there is one connection, as with SQLite, the turn would
 * wait for it without end.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Turns } from "miniagents/history"
 * import { SqliteClient } from "miniagents/sqlite"
 *
 * const turns = Turns.layerSql({ lease: "10 seconds" }).pipe(
 *   Layer.provide(SqliteClient.layer({ filename: "chat.db" })) // or `PgClient.layer` of `@effect/sql-pg`
 * )
 * const program = Effect.succeed("alone").pipe(Turns.withTurn("support/42"), Effect.provide(turns))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSql = (
  options: { readonly tablePrefix?: string; readonly lease?: Duration.Input } = {}
): Layer.Layer<Turns, SqlError, SqlClient.SqlClient> =>
  Layer.effect(
    Turns,
    Effect.gen(function* () {
      const takeHere = yield* queues
      const { lease = "10 seconds", tablePrefix = "miniagents_" } = options
      const takeRow = yield* SqlTurns.make({ lease, tablePrefix })
      const failed = (conversation: string) => (cause: SqlError) =>
        new TurnError({ conversation, reason: cause.message, cause })
      return {
        take: (conversation) =>
          Effect.andThen(takeHere(conversation), Effect.mapError(takeRow(conversation), failed(conversation)))
      }
    })
  )

const failed =
  (conversation: string, file: string) =>
  (cause: PlatformError | FileLock.Locked): TurnError =>
    new TurnError({
      conversation,
      reason: isPlatformError(cause) ? FileError.sentence(cause, file) : cause.message,
      cause
    })
