/**
 * Observers see every call of a runtime without changing anything: they start no lazy call, interrupt nothing, and
 * their reading does not count as reading a failure.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as Observers from "./internal/observers.ts"
import type * as Message from "./Message.ts"

/**
 * A function that is told of every call of a runtime.
 *
 * @since 0.1.0
 * @category models
 */
export interface Observer<out R = never> {
  /**
   * Is run for each call as soon as it is made, before the call does anything: up to its first wait in the step that made
   * the call, the rest in the background. The call does not wait for it; what it fails with is logged.
   */
  readonly onCall: (call: Call) => Effect.Effect<unknown, unknown, R>
}

/**
 * A call as an observer sees it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call {
  /**
   * Where the call stands in the tree of calls, such as `Research/0:Search`: the agents from the outermost down, each but
   * the first with its number among the calls of the one above. Unique in a run, and the same whenever the same code runs
   * again and calls in the same order. Two outermost calls of one agent have the same path.
   */
  readonly path: string
  /** The call that made this one; undefined where the program did. */
  readonly parent: Call | undefined
  readonly agent: { readonly name: string; readonly description: string | undefined }
  readonly parameters: unknown
  /** The parameters as JSON, by the agent's schema. */
  readonly encodedParameters: Schema.Json
  /** The messages that the agent was sent. */
  readonly input: MessageSequence
  /** The replies of the agent, as they come. */
  readonly replies: MessageSequence
  /** Waits until the body of the agent starts. If it never starts, this waits for ever. */
  readonly started: Effect.Effect<void>
  /** Waits until the body of the agent has ended, and returns its exit. */
  readonly exit: Effect.Effect<Exit.Exit<unknown, unknown>>
}

/**
 * A sequence to be watched: it is a `MessageSequence` whose reading starts nothing, and takes no failure as read.
 *
 * @since 0.1.0
 * @category models
 */
export interface MessageSequence extends Stream.Stream<MessagePromise, unknown> {
  readonly messages: Effect.Effect<ReadonlyArray<Message.Message>, unknown>
  readonly parts: Stream.Stream<MessagePromise | MessageSequence, unknown>
  readonly origin: Origin | undefined
}

/**
 * A message to be watched: it is a `MessagePromise` whose reading starts nothing, and takes no failure as read. A message
 * that is passed on is one and the same object wherever it is seen.
 *
 * @since 0.1.0
 * @category models
 */
export interface MessagePromise extends Stream.Stream<string, unknown> {
  readonly message: Effect.Effect<Message.Message, unknown>
  readonly known: Message.KnownFields
  readonly origin: Origin | undefined
}

/**
 * The call that made a message, by its path and the name of its agent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Origin {
  readonly path: string
  readonly agent: string
  /** The run in which that call was, if it was another one: the message was kept since, and the path is of that run. */
  readonly run?: string | undefined
}

/**
 * Adds an observer to the runtime: provide this Layer to `MiniAgents.layer`, or together with it. There can be any
 * number of observers.
 *
 * **When to use**
 *
 * To measure, log or show the calls of a program without changing it.
 *
 * **Example**
 *
 * ```ts
 * import { Console, Effect, Layer } from "effect"
 * import { Agent, MiniAgents, Observer } from "miniagents"
 *
 * const hello = Agent.make("Hello", (ctx) => ctx.reply("hello"))
 * const watched = MiniAgents.layer().pipe(
 *   Layer.provide(Observer.layer({ onCall: (call) => Console.log(`${call.path} was called`) }))
 * )
 * const program = Effect.flatMap(hello.trigger(), (replies) => replies.text).pipe(Effect.provide(watched))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(observer: Observer<R>): Layer.Layer<never, never, R> =>
  Observers.layer((context: Context.Context<R>) => () => {
    const { beforeCall } = observer as Observers.Early // only those of this library have it
    return {
      onCall: (call) => Effect.provideContext(observer.onCall(call), context),
      ...(beforeCall === undefined ? {} : { beforeCall })
    }
  })

/**
 * Adds an observer to all runtimes that are made from now on, for tools that watch a program without changing it. Gives
 * the function that removes it.
 *
 * **When to use**
 *
 * Use in a module that is loaded before the program, with `node --import`. A program itself takes `layer`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const register = (observer: Observer): (() => void) => Observers.register(observer)
