/** The observer that feeds a persistence hook: what it has not had yet, nested messages first, one batch at a time. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Message from "../Message.ts"
import type { Call, MessagePromise, MessageSequence, Observer } from "../Observer.ts"
import type { CallEntry, Hook, Options } from "../Persistence.ts"
import { textUntilFailure } from "./joinedTokens.ts"
import { reasonOf } from "./reason.ts"
import { WaitGroup } from "./task.ts"

/** The persistence hook failed; `Persistence.PersistError` is its public name. */
export class PersistError extends Schema.TaggedError<PersistError>()("PersistError", {
  /** How many messages wait to be persisted. */
  waiting: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `The persistence hook failed, ${this.waiting} messages wait to be persisted: ${reasonOf(this.cause)}`
  }
}

/** How many hash keys are remembered: some ten megabytes. */
const maxKnown = 65_536

/** Makes the persister of a runtime, for a hook that is given what its Layer was given. */
export const make =
  <E, R>(hook: Hook<E, R>, { onCall, only }: Options<E, R>, context: Context.Context<R>) =>
  (step: () => void): Persister =>
    new Persister(
      (messages) => Effect.provideContext(checked(hook(messages), "persistence hook"), context),
      {
        ...(only && { only }),
        ...(onCall && { onCall: (entry) => Effect.provideContext(checked(onCall(entry), "hook for calls"), context) })
      },
      context as Context.Context<never>, // where no call was made yet, its loggers are told
      step
    )

/** Plain JavaScript may give a Promise, which would wait for ever as an Effect. */
const checked = <E, R>(effect: Effect.Effect<void, E, R>, hook: string): Effect.Effect<void, E, R> =>
  Effect.isEffect(effect)
    ? effect
    : Effect.die(new TypeError(`The ${hook} must return an Effect: wrap a Promise with \`Effect.promise\``))

export class Persister implements Observer {
  private readonly hook: Hook<unknown>
  private readonly onEntry: (entry: CallEntry) => Effect.Effect<void>
  private readonly isKept: (message: Message.Message) => boolean
  /** What the hook has had or waits for, the oldest first. */
  private readonly known = new Set<string>()
  /** The one that hands the queue to the hook, while one does. */
  private readonly turn = new WaitGroup()
  private waiting: Array<Message.Message> = []
  /** Where the calls are made whose messages are kept: its loggers are told of what is not. */
  private context: Context.Context<never>
  private readonly step: () => void

  constructor(hook: Hook<unknown>, options: Options<unknown>, context: Context.Context<never>, step: () => void) {
    this.hook = hook
    this.context = context
    this.step = step
    const { only, onCall } = options
    this.isKept = only ?? (() => true)
    this.onEntry = (entry) =>
      onCall === undefined
        ? Effect.void
        : Effect.catchCause(
            Effect.suspend(() => onCall(entry)),
            (cause) => Effect.logError(`The entry of the call \`${entry.path}\` was not kept`, cause)
          )
  }

  readonly onCall = (call: Call): Effect.Effect<void> =>
    Effect.gen({ self: this }, function* () {
      this.context = yield* Effect.context<never>()
      const clock = yield* Clock.Clock
      const entry = {
        path: call.path,
        parent: call.parent?.path,
        agent: call.agent.name,
        startedAt: clock.currentTimeMillisUnsafe()
      }
      const input = new Followed(call.input, this)
      const replies = new Followed(call.replies, this)
      let record: Message.CallRecord | undefined
      const recorded = () => {
        const parameters = call.encodedParameters
        record = new Message.CallRecord({ agent: entry.agent, parameters, messages: input.messages })
        this.offer([record])
        return this.onEntry({ ...entry, call: record.hashKey })
      }
      const ended = () => {
        const { ending, messages } = replies
        const reply = new Message.ReplyRecord({ agent: entry.agent, call: record!, replies: messages, ending })
        this.offer([reply])
        const endedAt = clock.currentTimeMillisUnsafe()
        return this.onEntry({ ...entry, call: record!.hashKey, reply: reply.hashKey, ending, endedAt })
      }
      const both = Effect.all([Effect.andThen(input.all, Effect.suspend(recorded)), replies.all], {
        concurrency: "unbounded"
      })
      // what is cut off, by a runtime that closes before all was said, leaves what there was
      const rest = Effect.suspend(() => Effect.andThen(record === undefined ? recorded() : Effect.void, ended))
      yield* Effect.onInterrupt(both, () => rest)
      yield* ended()
    })

  /** Queues messages and hands the queue to the hook in the background. */
  offer(messages: Iterable<Message.Message>): void {
    this.step()
    this.add(messages)
    if (this.waiting.length === 0 || this.turn.count > 0) return
    const effect = Effect.catchCause(this.flush, (cause) => Effect.logError("Messages are not persisted yet", cause))
    Effect.runForkWith(this.context)(effect)
  }

  /** Hands the queue to the hook and waits for it, when it is its turn. */
  private readonly flush: Effect.Effect<void, PersistError> = Effect.suspend(() => {
    if (this.turn.count > 0) return Effect.andThen(this.turn.none, this.flush)
    this.turn.begin()
    return Effect.ensuring(
      this.next,
      Effect.sync(() => this.turn.done())
    )
  })

  /** Queues messages and waits for the hook. */
  persist(messages: Iterable<Message.Message>): Effect.Effect<void, PersistError> {
    return Effect.suspend(() => {
      this.add(messages)
      return this.flush
    })
  }

  /** The last try of a closing runtime: what still is not persisted then is named. */
  readonly settle: Effect.Effect<void> = Effect.suspend(() =>
    Effect.catchCause(
      Effect.catch(this.flush, () => this.flush),
      (cause) => this.report(cause)
    )
  )

  /** The last try where there is little time. */
  readonly settleSoon: Effect.Effect<void> = Effect.suspend(() =>
    Effect.timeoutOrElse(this.settle, {
      duration: "1 second",
      orElse: () => this.logged(Effect.logError("The last messages were not persisted in time"))
    })
  )

  /** Queues messages that are new, nested ones first. */
  private add(messages: Iterable<Message.Message>): void {
    const leaveOut = (message: Message.Message) => this.known.has(message.hashKey)
    for (const message of messages) {
      if (leaveOut(message)) continue
      for (const each of [...Message.nestedBut(message, leaveOut), message]) {
        if (leaveOut(each)) continue // two equal messages inside of one
        this.remember(each.hashKey)
        if (this.isKept(each)) this.waiting.push(each)
      }
    }
  }

  private remember(hashKey: string): void {
    this.known.add(hashKey)
    if (this.known.size <= maxKnown) return
    for (const oldest of this.known) {
      this.known.delete(oldest)
      return
    }
  }

  private report(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const keys = this.waiting.map((message) => message.hashKey).join(", ")
    return this.logged(Effect.logError(`${this.waiting.length} messages were not persisted: ${keys}`, cause))
  }

  private logged(effect: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => Effect.provideContext(effect, this.context))
  }

  private readonly next: Effect.Effect<void, PersistError> = Effect.suspend(() => {
    const batch = this.waiting
    this.waiting = []
    if (batch.length === 0) return Effect.void
    const keep = () => {
      if (this.waiting[0] !== batch[0]) this.waiting = [...batch, ...this.waiting]
    }
    const hooked = Effect.onInterrupt(
      Effect.suspend(() => this.hook(batch)),
      () => Effect.sync(keep)
    )
    return Effect.matchCauseEffect(hooked, {
      onSuccess: () => this.next,
      onFailure: (cause) => {
        keep()
        return Effect.fail(new PersistError({ waiting: this.waiting.length, cause: Cause.squash(cause) }))
      }
    })
  })
}

/** A sequence that is followed to its end, a failure as the last of its messages. */
class Followed {
  messages: ReadonlyArray<Message.Message> = []
  ending: "success" | "failure" | "interruption" = "interruption"
  readonly all: Effect.Effect<void>
  private readonly seen: Array<Message.Message> = []

  constructor(sequence: MessageSequence, persister: Persister) {
    const push = (message: Message.Message) => {
      this.seen.push(message)
      this.messages = this.seen
      persister.offer([message])
    }
    const each = (promise: MessagePromise) =>
      Effect.matchCauseEffect(promise.message, {
        onSuccess: (message) => Effect.sync(() => push(message)),
        onFailure: (cause) =>
          Effect.map(textUntilFailure(promise), (content) => push(Message.fromCause(cause, { content })))
      })
    this.all = Effect.map(Effect.exit(Stream.runForEach(sequence, each)), (exit) => {
      if (Exit.isSuccess(exit)) this.ending = "success"
      else if (!Cause.hasInterruptsOnly(exit.cause)) {
        this.ending = "failure"
        push(Message.fromCause(exit.cause))
      }
    })
  }
}
