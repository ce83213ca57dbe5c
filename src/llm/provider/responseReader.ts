/**
 * The events of one response as its parts: a synchronous fold that knows no sockets, clocks or fibers.
 *
 * @since 0.1.0
 */
import * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import * as Result from "effect/Result"
import type { ResponseBuilder } from "./responseBuilder.ts"
import type { ServerSentEvent } from "./serverSentEvents.ts"

/**
 * What a protocol makes of an event, which is parsed JSON. If it throws, the event was not one of this protocol.
 *
 * @since 0.1.0
 * @category models
 */
export type Decode = (event: unknown, response: ResponseBuilder) => void

/**
 * How events are read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly response: ResponseBuilder
  readonly decode: Decode
  /** The error that an event tells of, if it does. */
  readonly failureOf: (name: string, body: unknown) => AiError.AiErrorReason | undefined
  /** Takes secrets out of a text. */
  readonly redact: (text: string) => string
}

/**
 * Reads the events of one response.
 *
 * @since 0.1.0
 * @category models
 */
export class ResponseReader {
  private readonly options: Options

  constructor(options: Options) {
    this.options = options
  }

  /** The parts that events add. Nothing is read after a failure or the end marker. */
  push(events: ReadonlyArray<ServerSentEvent>): Array<Response.StreamPartEncoded> {
    const { response } = this.options
    let at = 0
    // once for all of them: whatever is thrown is the end of what is read
    const read = Result.try(() => {
      for (; at < events.length && response.failure === undefined && !response.isComplete; at++) this.read(events[at])
    })
    if (Result.isFailure(read)) this.refuse(events[at], read.failure)
    return response.take()
  }

  /** The parts that are left at the end, the last one among them. */
  end(): Array<Response.StreamPartEncoded> {
    this.options.response.end()
    return this.options.response.take()
  }

  private read({ data, name }: ServerSentEvent): void {
    const { decode, failureOf, response } = this.options
    if (data.startsWith("[DONE]")) return response.complete()
    const body: unknown = JSON.parse(data)
    const failure = failureOf(name, body)
    if (failure !== undefined) response.fail(failure)
    decode(body, response)
  }

  private refuse({ data, name }: ServerSentEvent, thrown: unknown): void {
    const { failureOf, redact, response } = this.options
    const isJson = Result.isSuccess(Result.try((): unknown => JSON.parse(data)))
    const failure = isJson ? undefined : failureOf(name, data)
    if (failure !== undefined) response.fail(failure)
    const what = isJson
      ? `an event that is not one of this protocol: ${String(thrown)}`
      : `an event that is no JSON: ${data}`
    const text = redact(what)
    const description = text.length > 300 ? `${text.slice(0, 300)}…` : text
    response.fail(new AiError.InvalidResponseError({ description }))
  }
}
