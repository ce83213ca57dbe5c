/**
 * Histories keep what was said for the next turn, or for the next start of the program. Every history agent is made of
 * one; make an agent of your own history with `History.agent`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Agent from "../Agent.ts"
import type { InteractionContext, Upstream } from "../InteractionContext.ts"
import * as LlmMessage from "../llm/agents/LlmMessage.ts"
import type * as Message from "../Message.ts"
import type { MessagePromise } from "../MessagePromise.ts"
import { saidBy } from "../agents/saidBy.ts"
import * as PassThrough from "../agents/PassThrough.ts"

/**
 * Where messages are kept.
 *
 * Laws: **Order** (messages come back in the order in which they were appended), **Whole** (what comes back equals
 * what was appended), **Unfinished** (a message that failed or was interrupted before its end does not come back) and
 * **Origin** (the replies of its agent have the origins of what was appended, with the run of each that is not the current
 * one).
 *
 * @since 0.1.0
 * @category models
 */
export interface History<out E = never> {
  /** Keeps a message, maybe token by token as it comes. One at a time: the next one waits. */
  readonly append: <E2>(promise: MessagePromise<E2>) => Effect.Effect<void, E | E2>
  /** All the messages so far. */
  readonly messages: Effect.Effect<ReadonlyArray<Message.Message>, E>
  /** All the messages so far, each with the origin that it had. Without it, they come back as the agent's of the history. */
  readonly promises?: Effect.Effect<ReadonlyArray<MessagePromise>, E>
}

/**
 * A history with branches. A point of it is a number of messages: the ones before it.
 *
 * Laws: those of `History`, and **Branches** (a branch begins with the messages before the point it was forked at, and
 * what is appended to one branch is in no other).
 *
 * @since 0.1.0
 * @category models
 */
export interface Branching<out E = never> extends History<E> {
  /** The messages before a point. */
  readonly messagesBefore: (at: number) => Effect.Effect<ReadonlyArray<Message.Message>, HistoryError>
  /** Begins another branch at a point, by default at the end; no message is copied. */
  readonly fork: (options?: ForkOptions) => Effect.Effect<Branching<E>, HistoryError>
}

/**
 * Where a branch begins, and what it is called.
 *
 * @since 0.1.0
 * @category models
 */
export interface ForkOptions {
  /**
   * How many messages it begins with.
   *
   * @default all of them
   */
  readonly at?: number
  /**
   * The name by which a history that outlives the program is opened again.
   *
   * @default a name that is new
   */
  readonly branch?: string
}

/**
 * The parameters of a history agent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Parameters {
  /** Reply with all the messages in the history, instead of the ones it was sent. */
  readonly returnFullHistory?: boolean
}

/**
 * An agent that keeps the messages it is sent. It passes them on as they come, or, with `returnFullHistory`, replies
 * with the whole history once they are kept.
 *
 * @since 0.1.0
 * @category models
 */
export type HistoryAgent<E = never> = Agent.Agent<Parameters, E | Upstream, never>

/**
 * A history could not be opened, written or read.
 *
 * @since 0.1.0
 * @category errors
 */
export class HistoryError extends Schema.TaggedError<HistoryError>()("HistoryError", {
  operation: Schema.Literals(["open", "append to", "read", "fork"]),
  history: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `Could not ${this.operation} the history \`${this.history}\`: ${this.reason}`
  }
}

/**
 * The metadata that keeps a message out of every history: `Message.text("Searching", History.noHistory)`.
 *
 * @since 0.1.0
 * @category marks
 */
export const noHistory: { readonly noHistory: true } = { noHistory: true }

/**
 * Options for what the agent of a history keeps, and as what.
 *
 * @since 0.1.0
 * @category models
 */
export interface AgentOptions {
  /**
   * Keep messages that are marked with `History.noHistory`, too.
   *
   * @default false
   */
  readonly ignoreMarks?: boolean
  /**
   * Leave out messages whose text is blank.
   *
   * @default false
   */
  readonly skipEmpty?: boolean
  /**
   * The role of messages that have none, such as bare strings (`Message.Text`): they are kept as messages of this role.
   * By default they are kept as they are, and a model takes them for the user's.
   */
  readonly defaultRole?: "assistant" | "system" | "user"
}

/**
 * Makes the agent of a history.
 *
 * **When to use**
 *
 * To make an agent from a history of your own, or from a fork of one.
 *
 * **Details**
 *
 * Messages that are marked with `History.noHistory` are passed on and not kept, unless `ignoreMarks` is set. One that
 * fails is not kept; what came before it is.
 *
 * @since 0.1.0
 * @category constructors
 */
export const agent = <E>(name: string, history: History<E>, options: AgentOptions = {}): HistoryAgent<E> => {
  const { defaultRole, ignoreMarks = false, skipEmpty = false } = options
  const append = (promise: MessagePromise<Upstream>) =>
    defaultRole === undefined
      ? history.append(promise)
      : Effect.flatMap(saidBy(defaultRole, promise), (said) => history.append(said))
  const isKept = (promise: MessagePromise<Upstream>) =>
    Effect.map(Stream.runHead(Stream.filter(promise, (token) => token.trim() !== "")), Option.isSome)
  const keep = (promise: MessagePromise<Upstream>) =>
    !ignoreMarks && promise.known.metadata?.noHistory === true
      ? Effect.asVoid(promise.message)
      : skipEmpty
        ? Effect.flatMap(isKept(promise), (kept) => (kept ? append(promise) : Effect.asVoid(promise.message)))
        : append(promise)
  const replyWithAll = (ctx: InteractionContext) =>
    Stream.runForEach(ctx.messages, keep).pipe(
      Effect.andThen(Effect.suspend((): Said<E> => history.promises ?? history.messages)),
      Effect.flatMap((said) => ctx.reply(said))
    )
  return Agent.make(name, { parameters }, (ctx) =>
    ctx.parameters.returnFullHistory === true ? replyWithAll(ctx) : PassThrough.run(ctx, keep)
  ) as never // what `ctx.reply` adds is `Upstream`
}

/**
 * The classes of the messages in a history, beside those of `Message`: what the library's own agents reply is of some of
 * them, and nobody has to name these.
 *
 * @internal
 */
export const classes = (given: ReadonlyArray<Message.AnyClass> = []): ReadonlyArray<Message.AnyClass> => [
  ...LlmMessage.classes,
  ...given
]

/** @internal A point that a history of this length has; its end, where none is said. */
export const pointWithin = <E>(
  at: number | undefined,
  length: Effect.Effect<number, E>
): Effect.Effect<number, E | { readonly message: string }> =>
  Effect.flatMap(length, (length) =>
    at === undefined || (Number.isInteger(at) && at >= 0 && at <= length)
      ? Effect.succeed(at ?? length)
      : Effect.fail({ message: `\`at\` must be a whole number from 0 to ${length}, its length; got \`${at}\`` })
  )

type Said<E> = Effect.Effect<ReadonlyArray<MessagePromise> | ReadonlyArray<Message.Message>, E>

const parameters = { returnFullHistory: Schema.optionalKey(Schema.Boolean) }
