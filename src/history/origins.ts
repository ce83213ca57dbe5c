/** Messages that are kept with their origins. A path is unique in one run alone, so each is kept with its run. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { CurrentRun } from "../internal/currentRun.ts"
import { outside, Whole } from "../internal/promise.ts"
import type * as Message from "../Message.ts"
import type { MessagePromise } from "../MessagePromise.ts"
import * as MiniAgents from "../MiniAgents.ts"

/** The call that made a message, and the run in which that was. */
export interface Origin {
  readonly path: string
  readonly agent: string
  readonly run: string
}

/** A message as it is kept; nothing is known of the origin of one that no agent has made, or that was kept without. */
export interface Said {
  readonly message: Message.Message
  readonly origin: Origin | undefined
}

/** The origin of a message, as it is kept. */
export const originOf = ({ origin }: MessagePromise<unknown>): Effect.Effect<Origin | undefined> =>
  Effect.map(currentRun, (run) => origin && { path: origin.path, agent: origin.agent, run: origin.run ?? run })

/** Messages with the origins that they had; those of the current run have no other. */
export const promises = (all: ReadonlyArray<Said>): Effect.Effect<ReadonlyArray<MessagePromise>> =>
  Effect.map(currentRun, (current) =>
    all.map(({ message, origin }) => {
      const promise = new Whole(message)
      promise.maker = origin?.run === current ? { path: origin.path, agent: origin.agent } : (origin ?? outside)
      return promise
    })
  )

/** The id of the run that the current code belongs to. All that a runtime does outside of runs counts as one. */
const currentRun: Effect.Effect<string> = Effect.contextWith((context: Context.Context<never>) => {
  const runtime = Option.getOrElse(Context.getOption(context, MiniAgents.MiniAgents), () => ids)
  let id = Context.get(context, CurrentRun)?.id ?? ids.get(runtime)
  if (id === undefined) ids.set(runtime, (id = SecureRandom.uuidV4Unsafe()))
  return Effect.succeed(id)
})
const ids = new WeakMap<object, string>()
