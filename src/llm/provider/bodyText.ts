/** The text of a response as it comes over the network. */
import type * as AiError from "effect/ai/AiError"
import * as Effect from "effect/Effect"
import type { Patience } from "./patience.ts"

/** What reads the body of a response. */
export interface Reader {
  readonly read: () => PromiseLike<Read>
}

type Read = { readonly done: false; readonly value: Uint8Array } | { readonly done: true; readonly value?: unknown }

/** What is made of text that comes in pieces. */
export interface Handlers<A, E> {
  /** Gives nothing where it takes more text to make something. */
  readonly text: (text: string) => Effect.Effect<A, E> | undefined
  readonly end: Effect.Effect<A, E>
  /** The connection gave out. */
  readonly broken: (reason: AiError.AiErrorReason) => Effect.Effect<A, E>
}

/** Text that comes in pieces. */
export interface Text {
  /** Reads on until something is made of it. */
  readonly read: <A, E>(handlers: Handlers<A, E>) => Effect.Effect<A, E>
  /** Leaves the rest unread, but for an end that is there or about to come: the connection can then be used again. */
  readonly leave: Effect.Effect<void>
}

/**
 * So many bytes are read without giving way, some 1 ms of work: the beginnings of other responses should not have to wait
 * for all that came at once. It is as much as a socket gives at a time: of a shorter step the rest would stay in memory,
 * for each response that is under way.
 */
const step = 65_536

const none = new Uint8Array()

/** The text of a body. What came is held as the bytes that it came as, until somebody asks for it. */
export class BodyText implements Text {
  private bytes: Uint8Array = none
  private at = 0
  /** Bytes that were read since it gave way. */
  private taken = 0
  private isOver = false
  private readonly decoder = new TextDecoder()
  private readonly reader: Reader
  private readonly waiting: Patience
  private readonly reasonOf: (error: unknown) => AiError.AiErrorReason

  constructor(reader: Reader, waiting: Patience, reasonOf: (error: unknown) => AiError.AiErrorReason) {
    this.reader = reader
    this.waiting = waiting
    this.reasonOf = reasonOf
  }

  read<A, E>(handlers: Handlers<A, E>): Effect.Effect<A, E> {
    const next: Effect.Effect<A, E> = Effect.suspend(() => this.made(handlers) ?? (this.isOver ? handlers.end : more))
    const more = Effect.matchEffect(
      this.waiting.wait(() => this.reader.read(), this.reasonOf),
      { onSuccess: (read) => (this.take(read), next), onFailure: handlers.broken }
    )
    return Effect.suspend(() => {
      if (this.taken < step) return next
      this.taken = 0
      return Effect.andThen(Effect.yieldNow, next)
    })
  }

  get leave(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isOver) return Effect.void
      let isThere = false
      const there = (read?: Read) => {
        isThere = true
        if (read?.done === true) this.take(read)
      }
      const reading = this.reader.read().then(there, () => there())
      // What ends with its last event does not need a clock to wait for it.
      return Effect.andThen(
        Effect.yieldNow,
        Effect.suspend(() =>
          isThere
            ? Effect.void
            : Effect.asVoid(
                Effect.timeoutOption(
                  Effect.promise(() => reading),
                  "5 seconds"
                )
              )
        )
      )
    })
  }

  /** What can be made of what is there. */
  private made<A, E>({ text }: Handlers<A, E>): Effect.Effect<A, E> | undefined {
    while (this.at < this.bytes.length) {
      const bytes = this.bytes.subarray(this.at, this.at + step)
      this.at += bytes.length
      this.taken += bytes.length
      const made = text(this.decoder.decode(bytes, { stream: true }))
      // while it waits for more it holds nothing of what it has read
      if (this.at >= this.bytes.length) this.bytes = none
      if (made !== undefined) return made
    }
    return undefined
  }

  private take({ done, value }: Read): void {
    this.at = 0
    this.bytes = done ? none : value
    if (!done) return
    this.isOver = true
    this.waiting.isOver = true
  }
}

/** Text that is there. */
export class GivenText implements Text {
  private text: string
  readonly leave = Effect.void

  constructor(text: string) {
    this.text = text
  }

  read<A, E>(handlers: Handlers<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      const { text } = this
      this.text = ""
      return (text === "" ? undefined : handlers.text(text)) ?? handlers.end
    })
  }
}
