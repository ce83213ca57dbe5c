/** The tokens of many messages as those of one. */
import type * as Arr from "effect/Array"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { StreamChannel } from "./streamable.ts"

type Tokens<E> = Pull.Pull<Arr.NonEmptyReadonlyArray<string>, E>

/** A message of which the tokens are read, and given unless it is silent. */
export interface Spoken<E> {
  readonly tokens: Stream.Stream<string, E>
  readonly isSilent: boolean
}

/**
 * The tokens of one message after the other, with the delimiter between them. `Stream.flatMap` does the same, but weighs
 * as much as half of the core: it brings along all it needs to read several streams at once.
 */
export const joinedTokens = <E>(messages: Stream.Stream<Spoken<E>, E>, delimiter: string): StreamChannel<string, E> =>
  Channel.fromTransform((_, scope) =>
    Effect.map(Channel.toPullScoped(messages.channel, scope), (more) => {
      let waiting: ReadonlyArray<Spoken<E>> = []
      let index = 0
      let isFirst = true
      let tokens: Tokens<E> | undefined
      const next: Tokens<E> = Effect.suspend(() => {
        if (tokens !== undefined) return tokens
        if (index === waiting.length) {
          return Effect.flatMap(more, (messages) => {
            waiting = messages
            index = 0
            return next
          })
        }
        const message = waiting[index++]!
        tokens = open(message)
        if (message.isSilent) return tokens
        if (isFirst) {
          isFirst = false
          return tokens
        }
        return Effect.succeed([delimiter])
      })
      /** Reads a message when its first token is asked for, and what it holds is given back at its end. */
      const open = (message: Spoken<E>): Tokens<E> =>
        Effect.suspend(() => {
          const own = Scope.forkUnsafe(scope)
          return Effect.flatMap(Channel.toPullScoped(message.tokens.channel, own), (pull) => {
            const silent: Tokens<E> = Effect.flatMap(pull, () => silent)
            tokens = Pull.catchDone(message.isSilent ? silent : pull, () => {
              tokens = undefined
              return Effect.andThen(Scope.close(own, Exit.void), next)
            })
            return tokens
          })
        })
      return next
    })
  )

/** A text without the line breaks that it begins with. */
export const withoutNewlines = <E>(tokens: Stream.Stream<string, E>): Stream.Stream<string, E> =>
  Stream.mapAccum(
    tokens,
    () => true,
    (atStart, token: string) => {
      const rest = atStart ? token.replace(/^[\r\n]+/, "") : token
      return [atStart && rest === "", rest === "" ? [] : [rest]]
    }
  )

/** What tokens say until they end or fail. */
export const textUntilFailure = (tokens: Stream.Stream<string, unknown>): Effect.Effect<string> =>
  Effect.suspend(() => {
    let text = ""
    const read = Stream.runForEachArray(tokens, (chunk) =>
      Effect.sync(() => {
        text += chunk.join("")
      })
    )
    return Effect.map(Effect.exit(read), () => text)
  })
