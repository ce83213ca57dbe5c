/** Why a part of the program that is not inside of it could not do what it was asked. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"

export interface Failed {
  readonly message: string
  /** Whether the words or the configuration are wrong. */
  readonly isMisuse: boolean
}

export const misuse = (message: string): Failed => ({ message, isMisuse: true })

export const failure = (message: string): Failed => ({ message, isMisuse: false })

export const isFailed = (error: unknown): error is Failed => Predicate.hasProperty(error, "isMisuse")

/** Runs until it has ended or is told to end, and has then let go of everything. Gives why it failed, if it did. */
export const run = (
  program: Effect.Effect<unknown, unknown, Scope.Scope>,
  signal: AbortSignal
): Promise<Failed | undefined> =>
  Effect.runPromiseExit(Effect.scoped(program), { signal }).then((exit) => {
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return undefined
    const error = Cause.squash(exit.cause)
    return isFailed(error) ? error : misuse(error instanceof Error ? error.message : String(error))
  })
