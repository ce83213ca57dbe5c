/** The parts of one response as they are pulled: read over a connection, or over several where it goes on without one. */
import type * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import * as Arr from "effect/Array"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type * as Connection from "./Connection.ts"
import type { ResponseBuilder } from "./responseBuilder.ts"
import type { ResponseReader } from "./responseReader.ts"
import type { ServerSentEvent } from "./serverSentEvents.ts"

export type Parts = Pull.Pull<NonEmptyReadonlyArray<Response.StreamPartEncoded>, AiError.AiErrorReason>

export interface Options {
  readonly incoming: Connection.Incoming
  readonly reader: ResponseReader
  readonly response: ResponseBuilder
  /** Opens the connection of a response that goes on without one; nothing if this one does not. */
  readonly again: () => Effect.Effect<Connection.Incoming, AiError.AiErrorReason> | undefined
  readonly onPart: (part: Response.StreamPartEncoded) => void
}

/** How often a connection is lost, one time after another, before the response is. */
const maxLosses = 5

/** Reads events and gives the parts they add, until the response is whole or has failed. */
export class ResponseParts {
  private incoming: Connection.Incoming
  private reading: Parts
  private losses = 0
  private hasEnded = false
  private held: ReadonlyArray<Response.StreamPartEncoded> = []
  private readonly options: Options

  constructor(options: Options) {
    this.options = options
    this.incoming = options.incoming
    this.reading = this.read(options.incoming)
  }

  readonly next: Parts = Effect.suspend((): Parts => {
    const { response } = this.options
    if (this.held.length > 0) return this.give(this.held)
    if (response.failure !== undefined) return Effect.fail(response.failure)
    if (this.hasEnded) return Effect.andThen(this.incoming.leave, Cause.done())
    return response.isFinished ? patient(this.reading, () => this.end()) : this.reading
  })

  private read({ read }: Connection.Incoming): Parts {
    const { response } = this.options
    return read({
      events: (events) => {
        const wasFinished = response.isFinished
        const parts = this.push(events)
        if (response.isComplete && response.failure === undefined) return this.end(parts)
        if (parts.length > 0 || response.failure !== undefined) return this.give(parts)
        // What is left to come has less time.
        return response.isFinished && !wasFinished ? this.next : undefined
      },
      end: (events) => {
        const parts = this.push(events)
        if (response.isFinished || response.failure !== undefined || response.cursor === undefined) {
          return this.end(parts)
        }
        this.reading = Effect.suspend(() => this.lost(this.incoming.incomplete()))
        return this.give(parts)
      },
      broken: (reason) =>
        response.isFinished
          ? Effect.andThen(Effect.logDebug("the connection gave out after the whole response", reason), this.end())
          : this.lost(reason)
    })
  }

  private push(events: ReadonlyArray<ServerSentEvent>): Array<Response.StreamPartEncoded> {
    const { reader, response } = this.options
    const before = response.progress
    const parts = reader.push(events)
    if (response.progress > before) {
      this.losses = 0
      this.incoming.heard()
    }
    return parts
  }

  private give(parts: ReadonlyArray<Response.StreamPartEncoded>): Parts {
    const { onPart, response } = this.options
    // A call that is refused takes all with it that is given together with it: what came before is given before.
    const call = parts.findIndex((part, index) => index > 0 && part.type === "tool-call")
    this.held = call < 0 ? [] : parts.slice(call)
    const given = call < 0 ? parts : parts.slice(0, call)
    for (const part of given) onPart(part)
    if (Arr.isReadonlyArrayNonEmpty(given)) return Effect.succeed(given)
    return response.failure === undefined ? this.next : Effect.fail(response.failure)
  }

  private end(parts: ReadonlyArray<Response.StreamPartEncoded> = []): Parts {
    const { reader, response } = this.options
    this.hasEnded = true
    if (response.failure !== undefined) return this.give(parts)
    const isAll = response.isComplete || this.incoming.isDocument
    if (response.reason !== undefined || (response.progress > 0 && isAll)) return this.give([...parts, ...reader.end()])
    response.fail(this.incoming.incomplete())
    return this.give(parts)
  }

  /** The connection was lost: the response is taken up again, if it can be. */
  private lost(error: AiError.AiErrorReason): Parts {
    const reopened = this.losses < maxLosses && error.isRetryable ? this.options.again() : undefined
    if (reopened === undefined) return Effect.fail(error)
    return Effect.matchEffect(Effect.delay(reopened, Duration.seconds(2 ** this.losses++)), {
      onSuccess: (incoming) => {
        this.incoming = incoming
        this.reading = this.read(incoming)
        return this.next
      },
      onFailure: (error) => this.lost(error)
    })
  }
}

/** Once the model has finished, the usage and the end marker may take this long; without them the response is whole. */
const patient = (parts: Parts, end: () => Parts): Parts =>
  Effect.timeoutOrElse(parts, { duration: Duration.seconds(5), orElse: end })
