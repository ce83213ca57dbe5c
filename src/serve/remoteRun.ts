/** The events of a run on a server, over as many connections as it takes. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import { withoutSecrets } from "../internal/address.ts"
import * as Transcript from "../Transcript.ts"

/** What to ask for, and how to say that it failed. */
export interface Options<E> {
  readonly url: string
  readonly token: Redacted.Redacted | undefined
  readonly body: { readonly messages: ReadonlyArray<Schema.Json>; readonly parameters: Schema.Json }
  /** The path of the call here, in whose place the path of the run stands there. */
  readonly path: string
  readonly fail: (reason: string, status?: number) => E
}

export const shown: (url: string) => string = withoutSecrets

export const events = <E>(options: Options<E>): Stream.Stream<Transcript.Event, E, HttpClient.HttpClient> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const run = new RemoteRun(options, yield* HttpClient.HttpClient)
      // in the scope of the stream: who leaves before the end stops the run
      yield* Effect.acquireRelease(Effect.void, () => run.stop)
      return run.events
    })
  )

/** How long nothing may come, not even a sign of life, before the connection is given up: four heartbeats. */
const silence = "1 minute"
/** How often in a row it is tried to get something, ever later: less often as long as there was nothing at all. */
const attempts = { first: 4, further: 8 }
/** How many seconds the server waits for a caller that has gone without a word. */
const linger = 60

type Lost = { readonly lost: string }

class RemoteRun<E> {
  private readonly id = SecureRandom.uuidV4Unsafe()
  private readonly options: Options<E>
  private readonly client: HttpClient.HttpClient
  private started = false
  private ended = false
  private position: Transcript.Position | undefined = undefined
  private attempts = 0
  /** Why the last connection was lost. */
  private reason = "the connection ends before the run does"

  constructor(options: Options<E>, client: HttpClient.HttpClient) {
    this.options = options
    this.client = client
  }

  /** What comes over one connection, and then over the next one, until the last event. */
  get events(): Stream.Stream<Transcript.Event, E> {
    return Stream.unwrap(this.connect).pipe(
      Stream.catch((error) => {
        if (!isLost(error)) return Stream.fail(error)
        this.reason = error.lost
        return Stream.empty
      }),
      Stream.concat(Stream.suspend(() => (this.ended ? Stream.empty : this.later)))
    )
  }

  /** Interrupts the run, if it has not ended. It is done within a few seconds or not at all. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.started || this.ended) return Effect.void
      const request = this.authorized(HttpClientRequest.delete(`${this.options.url}/${this.id}`))
      return Effect.ignore(Effect.timeout(Effect.scoped(this.client.execute(request)), "5 seconds"))
    })
  }

  private get later(): Stream.Stream<Transcript.Event, E> {
    const most = this.position === undefined ? attempts.first : attempts.further
    if (this.attempts >= most) return Stream.fail(this.options.fail(this.reason))
    const delay = this.attempts <= 1 ? 0 : Math.min(5000, 50 * 2 ** this.attempts)
    return Stream.unwrap(Effect.as(Effect.sleep(delay), this.events))
  }

  /** The same id is the same run, so that asking for it again starts nothing new. */
  private get connect(): Effect.Effect<Stream.Stream<Transcript.Event, Lost | E>, Lost | E> {
    return Effect.suspend(() => {
      this.attempts++
      const { body, url } = this.options
      const request =
        this.position === undefined
          ? HttpClientRequest.post(url).pipe(
              HttpClientRequest.bodyJsonUnsafe({ ...body, id: this.id, resumable: true, linger })
            )
          : HttpClientRequest.get(`${url}/${this.id}/events?from=${this.position}`)
      this.started = true
      const asked = HttpClientRequest.setHeader(this.authorized(request), "accept", "application/x-ndjson")
      return Effect.flatMap(Effect.mapError(this.client.execute(asked), lost), (response) => this.read(response))
    })
  }

  private read(
    response: HttpClientResponse.HttpClientResponse
  ): Effect.Effect<Stream.Stream<Transcript.Event, Lost | E>, Lost | E> {
    const { status } = response
    if (status !== 200) return this.refused(response)
    return Effect.succeed(
      response.stream.pipe(
        Stream.mapError(lost),
        Stream.timeoutOrElse({ duration: silence, orElse: () => Stream.fail({ lost: "nothing came for a minute" }) }),
        Stream.decodeText,
        Stream.splitLines,
        Stream.filter((line) => line !== ""),
        Stream.mapEffect((line) => this.take(line))
      )
    )
  }

  private refused(response: HttpClientResponse.HttpClientResponse): Effect.Effect<never, Lost | E> {
    const { status } = response
    return Effect.flatMap(Effect.exit(response.json), (exit): Effect.Effect<never, Lost | E> => {
      const error = Exit.isSuccess(exit) && Predicate.hasProperty(exit.value, "error") ? exit.value.error : undefined
      const said = Predicate.hasProperty(error, "message") ? `: ${String(error.message)}` : ""
      const reason = `the server answered with ${status}${said}`
      // what a server under load says for a while
      const passes = status === 429 || status >= 500
      return passes ? Effect.fail({ lost: reason }) : Effect.fail(this.options.fail(reason, status))
    })
  }

  private take(line: string): Effect.Effect<Transcript.Event, E> {
    const exit = decodeLine(line)
    if (Exit.isFailure(exit)) return Effect.fail(this.options.fail("the server sent a line that is no event"))
    this.attempts = 0
    const event = exit.value
    this.position = Transcript.after(this.position, event)
    if (!("at" in event)) this.ended = true
    if (event._tag !== "open" || event.origin === undefined) return Effect.succeed(event)
    // the outermost call there is the call of this agent here
    const { path } = event.origin
    const below = path.includes("/") ? path.slice(path.indexOf("/")) : ""
    return Effect.succeed({ ...event, origin: { ...event.origin, path: `${this.options.path}${below}` } })
  }

  private authorized(request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest {
    const { token } = this.options
    return token === undefined ? request : HttpClientRequest.bearerToken(request, token)
  }
}

const decodeLine = Schema.decodeExit(Schema.fromJsonString(Transcript.Event))

const isLost = (error: unknown): error is Lost => Predicate.hasProperty(error, "lost")

/** The words of the error alone: the request it names may hold a secret. */
const lost = (error: HttpClientError.HttpClientError): Lost => ({
  lost: `it cannot be reached (${error.reason._tag})`
})
