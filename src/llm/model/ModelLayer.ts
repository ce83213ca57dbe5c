/**
 * Combinators on the Layers of language models, of any provider: patience, limits, and other models to fall back on.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ExecutionPlan from "effect/ExecutionPlan"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { Carried } from "./continuation.ts"
import * as ModelWrapper from "./modelWrapper.ts"

/**
 * How failed requests are made again.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryOptions {
  /** How often at most, 3 unless said. */
  readonly times?: number
  /** How long to wait before the first time, a second unless said; it doubles each time. A provider may ask for longer. */
  readonly delay?: Duration.Input
}

/**
 * Makes requests again that failed before the first token for a reason that may pass (`AiError.isRetryable`).
 *
 * **Example**
 *
 * ```ts
 * import { ModelLayer } from "miniagents/llm"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const patient = ScriptedModel.layer([]).pipe(
 *   ModelLayer.timeouts({ firstToken: "30 seconds", betweenTokens: "10 seconds" }),
 *   ModelLayer.retry({ times: 5 }),
 *   ModelLayer.concurrency(8)
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const retry = ({ delay = "1 second", times = 3 }: RetryOptions = {}): (<A, E, R>(
  layer: Layer.Layer<A, E, R>
) => Layer.Layer<A, E, R>) => {
  const first = Duration.toMillis(delay)
  const wait = (error: AiError.AiError, tried: number) =>
    Effect.sleep(Math.max(first * 2 ** tried, error.retryAfter === undefined ? 0 : Duration.toMillis(error.retryAfter)))
  const again = (error: AiError.AiError, tried: number) => error.isRetryable && tried < times
  return ModelWrapper.wrap(
    Effect.succeed({
      stream: (options, next) => {
        const attempt = (tried: number): ModelWrapper.Parts =>
          Stream.suspend(() => {
            let said = false
            const parts = ModelWrapper.hold(next(options)).pipe(
              Stream.mapArray((chunk) => {
                said = true
                return chunk
              })
            )
            return Stream.catch(parts, (error) =>
              said || !again(error, tried)
                ? Stream.fail(error)
                : Stream.unwrap(Effect.as(wait(error, tried), attempt(tried + 1)))
            )
          })
        return attempt(0)
      },
      whole: (options, next) => {
        const attempt = (tried: number): ModelWrapper.Whole =>
          Effect.catchIf(
            next(options),
            (error) => again(error, tried),
            (error) => Effect.andThen(wait(error, tried), attempt(tried + 1))
          )
        return attempt(0)
      }
    })
  )
}

/**
 * How long a model may say nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Timeouts {
  /** From the request to its first token; for a response that is not streamed, to its end. */
  readonly firstToken?: Duration.Input
  readonly betweenTokens?: Duration.Input
}

/**
 * Gives a silent model up: with an `AiError` that may be retried (`InternalProviderError`), after the tokens so far.
 *
 * @since 0.1.0
 * @category combinators
 */
export const timeouts = ({
  betweenTokens,
  firstToken
}: Timeouts): (<A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R>) => {
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>, duration: Duration.Input | undefined, what: string) =>
    duration === undefined
      ? effect
      : Effect.timeoutOrElse(effect, { duration, orElse: () => Effect.fail(silent(duration, what)) })
  return ModelWrapper.wrap(
    Effect.succeed({
      stream: (options, next) =>
        Stream.transformPull(next(options), (pull) =>
          Effect.sync(() => {
            const parts = ModelWrapper.held(pull)
            let waits = (): ModelWrapper.PartsPull => {
              waits = () => within(parts, betweenTokens, "no token")
              return within(parts, firstToken, "no first token")
            }
            return Effect.suspend(() => waits())
          })
        ),
      whole: (options, next) => within(next(options), firstToken, "no response")
    })
  )
}

/**
 * Lets so many requests run at the same time; others wait for their turn. The limit belongs to the Layer this gives:
 * all that use that Layer share it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const concurrency =
  (permits: number) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> => {
    const semaphore = Semaphore.makeUnsafe(permits) // one for the Layer, however often it is built
    const turn = Effect.acquireRelease(semaphore.take(1), () => semaphore.release(1), { interruptible: true })
    return ModelWrapper.wrap(
      Effect.succeed({
        stream: (options, next) => Stream.unwrap(Effect.map(turn, () => next(options))),
        whole: (options, next) => semaphore.withPermit(next(options))
      })
    )(layer)
  }

/**
 * How many requests a provider takes in which time. Layers with the same `key` share the limit.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimit {
  readonly key: string
  readonly limit: number
  readonly window: Duration.Input
}

/**
 * Delays requests that would be more than a provider takes. A `RateLimiter` of effect/persistence counts: in memory, or
 * in Redis for several processes.
 *
 * @since 0.1.0
 * @category combinators
 */
export const rateLimit = (
  options: RateLimit
): (<A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R | RateLimiter.RateLimiter>) =>
  ModelWrapper.wrap(
    Effect.map(RateLimiter.makeWithRateLimiter, (withLimit) => {
      const turn = withLimit({ ...options, onExceeded: "delay" })(Effect.void).pipe(Effect.mapError(notCounted))
      return {
        stream: (options, next) => Stream.unwrap(Effect.as(turn, next(options))),
        whole: (options, next) => Effect.andThen(turn, next(options))
      }
    })
  )

/**
 * A model that is several: a request goes to the models of a plan, one after the other, until one is done with it.
 *
 * **Details**
 *
 * When a model breaks off in the middle, the next one is given what was said so far as its own words, and goes on from
 * there in the same message. After a tool call nobody takes over: the call would be made twice.
 *
 * **Example**
 *
 * ```ts
 * import { ExecutionPlan } from "effect"
 * import { ModelLayer } from "miniagents/llm"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const model = ModelLayer.fallback(ExecutionPlan.make(
 *   { provide: ScriptedModel.layer([]), attempts: 2 },
 *   { provide: ScriptedModel.layer([]) }
 * ))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fallback = <Provides, Input, R>(
  plan: ExecutionPlan.ExecutionPlan<{ provides: Provides; input: Input; error: never; requirements: R }> &
    TakesErrors<Input>
): Layer.Layer<LanguageModel.LanguageModel, never, R> =>
  Layer.effect(
    LanguageModel.LanguageModel,
    Effect.map(plan.captureRequirements, (captured) => {
      const plan = captured as unknown as Plan // the errors it takes were checked
      const whole = (ask: (model: ModelWrapper.Plain) => ModelWrapper.Whole) =>
        Effect.withExecutionPlan(Effect.flatMap(current, ask), plan) as ModelWrapper.Whole // the plan has the model
      return ModelWrapper.fromPlain({
        streamText: (options) =>
          Stream.suspend(() => {
            const carried = new Carried()
            const attempt = Stream.unwrap(
              Effect.map(current, (model) => carried.attempt(options, (options) => model.streamText(options)))
            )
            const planned = Stream.withExecutionPlan(attempt, plan) as typeof attempt
            return carried.end(planned as Stream.Stream<never, AiError.AiError>) // the plan has the model
          }),
        generateText: (options) => whole((model) => model.generateText(options)),
        generateObject: (options) => whole((model) => model.generateObject(options))
      })
    })
  )

/** Refuses a plan that decides by errors which are not those of models. */
type TakesErrors<Input> = AiError.AiError extends Input ? unknown : { readonly "the plan must take": AiError.AiError }

type Plan = ExecutionPlan.ExecutionPlan<{
  provides: LanguageModel.LanguageModel
  input: AiError.AiError
  error: never
  requirements: never
}>

const current = Effect.map(LanguageModel.LanguageModel, ModelWrapper.toPlain)

const silent = (duration: Duration.Input, what: string): AiError.AiError => {
  const description = `${what} within ${Duration.format(Duration.fromInputUnsafe(duration))}`
  return AiError.make({
    module: "ModelLayer",
    method: "timeouts",
    reason: new AiError.InternalProviderError({ description })
  })
}

const notCounted = (error: RateLimiter.RateLimiterError): AiError.AiError =>
  AiError.make({
    module: "ModelLayer",
    method: "rateLimit",
    reason: new AiError.UnknownError({ description: error.message })
  })
