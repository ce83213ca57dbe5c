/** Waiting for promises of a server that may say nothing, for a while. */
import * as AiError from "effect/ai/AiError"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { withReaders } from "../../internal/log.ts"

/** How long a model may say nothing. */
export interface Timeouts {
  readonly firstToken?: Duration.Input | undefined
  readonly betweenTokens?: Duration.Input | undefined
}

/** What goes over the time-outs of a client for the requests made within; see `ModelLayer.timeouts`. */
export const CurrentTimeouts = Context.Reference<Timeouts>("miniagents/llm/CurrentTimeouts", {
  defaultValue: () => ({})
})

/** The error of a model that has said nothing for so long, whoever has waited for it. */
export const silence = (limit: Duration.Input, url?: string): AiError.InternalProviderError => {
  const what = `nothing came within ${Duration.format(Duration.fromInputUnsafe(limit))}`
  return new AiError.InternalProviderError({ description: url === undefined ? what : `${what} from ${url}` })
}

/** How long a server may say nothing, in milliseconds: until its first token, and from one to the next. */
export interface Limits {
  readonly first: number
  readonly between: number
}

/** Waits for promises, and loses patience after a while without a token. Time in which nobody waits is not counted. */
export class Patience {
  /** There is nothing left to wait for. */
  isOver = false
  private waited = 0
  private since: number | undefined = undefined
  private giveUp: (() => void) | undefined = undefined
  private limit: number
  private readonly clock: Clock.Clock
  private readonly limits: Limits
  private readonly silence: (limit: number) => AiError.AiErrorReason

  constructor(clock: Clock.Clock, limits: Limits, silence: (limit: number) => AiError.AiErrorReason) {
    this.clock = clock
    this.limits = limits
    this.limit = limits.first
    this.silence = silence
  }

  /** Starts the watch; the signal aborts when the scope closes, unless all is over then. */
  get start(): Effect.Effect<AbortSignal, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (controller) => Effect.sync(() => (this.isOver ? undefined : controller.abort(unwanted)))
    ).pipe(
      Effect.map((controller) => controller.signal),
      Effect.tap(Effect.forkScoped(this.watch, { startImmediately: true }))
    )
  }

  /** A token came: the time until the next one begins anew. */
  heard(): void {
    this.waited = 0
    this.limit = this.limits.between
  }

  /** Waits for a promise, for as long as is left. */
  wait<A>(
    start: () => PromiseLike<A>,
    reasonOf: (error: unknown) => AiError.AiErrorReason
  ): Effect.Effect<A, AiError.AiErrorReason> {
    return Effect.callback((resume) => {
      const settle = (effect: () => Effect.Effect<A, AiError.AiErrorReason>) => {
        if (this.giveUp !== giveUp) return
        this.waited += this.now - (this.since ?? 0)
        this.since = undefined
        this.giveUp = undefined
        withReaders(() => resume(effect()))
      }
      const giveUp = () => settle(() => Effect.fail(this.silence(this.limit)))
      const failed = (error: unknown) => settle(() => Effect.fail(reasonOf(error)))
      this.giveUp = giveUp
      this.since = this.now
      const started = Result.try(start)
      if (Result.isFailure(started)) return failed(started.failure)
      started.success.then((value) => settle(() => Effect.succeed(value)), failed)
    })
  }

  private get now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  private readonly watch: Effect.Effect<void> = Effect.suspend(() => {
    const left = this.limit - this.waited - (this.since === undefined ? 0 : this.now - this.since)
    if (left <= 0 && this.giveUp !== undefined) return Effect.sync(this.giveUp)
    // A token may make the limit shorter meanwhile.
    return Effect.andThen(Effect.sleep(Math.max(Math.min(left, this.limits.between), 1)), this.watch)
  })
}

/** Made once: the one that a signal makes for itself costs more than all else about it. */
const unwanted = new DOMException("The request is no longer wanted", "AbortError")
