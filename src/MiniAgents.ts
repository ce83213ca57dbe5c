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
 * Options of a runtime: the defaults of its calls, and a persistence hook.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out R = never> {
  /**
   * Whether agents and streams run at once (`true`), or only when somebody reads them (`false`).
   *
   * @default true
   */
  readonly startSoon?: boolean
  /**
   * Whether a failure becomes a `Message.Failure` at its place (`true`), or ends the sequence that it is in (`false`).
   *
   * @default false
   */
  readonly errorsAsMessages?: boolean
  /**
   * Whether readers get the tokens of a message as they come (`true`), or its whole text at once when it is complete
   * (`false`).
   *
   * @default true
   */
  readonly streamTokens?: boolean
  /** Is given every message once it is complete, to be stored. The same as one `Persistence.layer`. */
  readonly onPersistMessages?: (messages: ReadonlyArray<Message.Message>) => Effect.Effect<void, unknown, R>
  /**
   * After how long a deadlock is logged: calls that wait for each other and can never go on.
   *
   * @default "10 seconds"
   */
  readonly deadlockAfter?: Duration.Input
}

/**
 * The runtime as a service: everything that calls agents requires it.
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
  /** Waits until no background fiber runs any more. */
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
 * **When to use**
 *
 * To open a runtime by hand in a scope. A program provides `layer`.
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
 * The runtime in which agents run. When the program ends, it waits for the agents that still run; when the program
 * fails or is interrupted, it interrupts them.
 *
 * **When to use**
 *
 * Provide it once, at the edge of a program or a test.
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
 * The names of the agents that a failure came through, the innermost first. The stack of a logged failure has them too.
 *
 * @since 0.1.0
 * @category getters
 */
export const traceOf = (cause: Cause.Cause<unknown>): ReadonlyArray<string> => Place.traceOf(cause)

/** @internal */
export const current = (fiber: Fiber.Fiber<unknown, unknown>): RuntimeImpl =>
  Context.getUnsafe(fiber.context, MiniAgents) as RuntimeImpl
