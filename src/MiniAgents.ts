/**
 * The runtime in which agents run: it owns every background fiber, carries the defaults and the persistence hook, and
 * reports the failures that nobody read. Provide it as a Layer around a program (`MiniAgents.layer`), open it by hand
 * in a scope (`MiniAgents.make`), or keep it in a `ManagedRuntime` that serves many requests.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Observers from "./internal/observers.ts"
import type { PersistError } from "./internal/persister.ts"
import * as Place from "./internal/place.ts"
import { RuntimeImpl } from "./internal/runtime.ts"
import type * as Message from "./Message.ts"

/**
 * The defaults of a runtime, and its hook.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out R = never> {
  /** Agents and streams run whether or not anyone reads (`true`), or from their first reader on. */
  readonly startSoon?: boolean
  /** A failure ends the sequence it is in (`false`), or becomes a `Message.Failure` at its place. */
  readonly errorsAsMessages?: boolean
  /** Tokens are given as they come (`true`), or each message's text at once when it is whole. */
  readonly streamTokens?: boolean
  /** A persistence hook: the short form of one `Persistence.layer`. */
  readonly onPersistMessages?: (messages: ReadonlyArray<Message.Message>) => Effect.Effect<void, unknown, R>
  /**
   * After how long calls that wait for each other are named in the log.
   *
   * @default "10 seconds"
   */
  readonly deadlockAfter?: Duration.Input
}

/**
 * The service that agents run in.
 *
 * Law: **Finalization** (closing after success finishes open calls and waits for the rest, and that wait can be
 * interrupted; after failure or interruption it interrupts everything; afterwards no fiber is left, no reader hangs).
 *
 * @since 0.1.0
 * @category services
 */
export class MiniAgents extends Context.Service<MiniAgents, Runtime>()("miniagents/MiniAgents") {}

/**
 * The parts of a runtime that other modules of the library work with.
 *
 * @since 0.1.0
 * @category models
 */
export interface Runtime {
  readonly startSoon: boolean
  readonly errorsAsMessages: boolean
  readonly streamTokens: boolean
  /** How many background fibers run or are about to. */
  readonly running: Effect.Effect<number>
  /** Waits until none does. */
  readonly idle: Effect.Effect<void>
  /** The calls that wait for each other; see `MiniAgents.blocked`. */
  readonly blocked: Effect.Effect<ReadonlyArray<Blocked>>
  /** Gives messages to the hooks now; see `Persistence.persist`. */
  readonly persist: (messages: Iterable<Message.Message>) => Effect.Effect<void, PersistError>
}

/**
 * A call that cannot go on because it waits for one that waits for it, maybe through others.
 *
 * @since 0.1.0
 * @category models
 */
export interface Blocked {
  readonly path: string
  readonly agent: string
  /** The call whose reply it waits for. */
  readonly waitsFor: { readonly path: string; readonly agent: string }
  /** For how long it has waited, in milliseconds. */
  readonly since: number
}

/**
 * Opens a runtime in the current scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R = never>(options: Options<R> = {}): Effect.Effect<Runtime, never, Scope.Scope | R> =>
  Effect.contextWith((context: Context.Context<Scope.Scope | R>) => {
    const runtime = new RuntimeImpl(options as Options, context as Context.Context<never>) // its hook is given the context
    return Effect.as(
      Effect.addFinalizer((exit) => runtime.close(exit)),
      runtime
    )
  })

/**
 * A runtime around a program: it closes when the program ends.
 *
 * **When to use**
 *
 * Once for each program, test or tenant: everything that calls agents needs it, and what runs ends with it.
 *
 * @see `Observer.layer` and `Persistence.layer`, which add to it
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(options: Options<R> = {}): Layer.Layer<MiniAgents, never, Exclude<R, Scope.Scope>> =>
  Layer.effect(MiniAgents, make(options)).pipe(Layer.provide(Observers.shared)) as never // the observers need nothing else

/**
 * How many background fibers of the runtime run or are about to: `0` means that nothing is left to wait for.
 *
 * @since 0.1.0
 * @category getters
 */
export const running: Effect.Effect<number, never, MiniAgents> = MiniAgents.use((runtime) => runtime.running)

/**
 * Waits until no background fiber of the runtime runs any more, without closing it.
 *
 * @since 0.1.0
 * @category getters
 */
export const idle: Effect.Effect<void, never, MiniAgents> = MiniAgents.use((runtime) => runtime.idle)

/**
 * The calls that wait for each other and so never go on: who waits, for whom, for how long. A call that waits for
 * anything else, such as a timer, a request or a person, is none of them, nor is one that such a call can still wake.
 *
 * @since 0.1.0
 * @category getters
 */
export const blocked: Effect.Effect<ReadonlyArray<Blocked>, never, MiniAgents> = MiniAgents.use(
  (runtime) => runtime.blocked
)

/**
 * The names of the agents that a failure came through, the innermost first; none, if it came through none. What a failing
 * program logs has them in its stack.
 *
 * @since 0.1.0
 * @category getters
 */
export const traceOf = (cause: Cause.Cause<unknown>): ReadonlyArray<string> => Place.traceOf(cause)

/** @internal */
export const current = (fiber: Fiber.Fiber<unknown, unknown>): RuntimeImpl =>
  Context.getUnsafe(fiber.context, MiniAgents) as RuntimeImpl
