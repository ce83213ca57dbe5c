/** The events of a run on a server, over as many connections as it takes. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import { withoutSecrets } from "../internal/address.ts"
import { ResponsePart, ToolCall } from "../llm/agents/LlmMessage.ts"
import * as Message from "../Message.ts"
import * as approvals from "../runs/approvals.ts"
import * as Transcript from "../Transcript.ts"

/** What to ask for, and how to say that it failed. */
export interface Options<E> {
  readonly url: string
  readonly token: Redacted.Redacted | undefined
  readonly body: { readonly messages: ReadonlyArray<Schema.Json>; readonly parameters: Schema.Json }
  /** The path of the call here, in whose place the path of the run stands there. */
  readonly path: string
  /** The agents that the call here came through, this one first. */
  readonly trace: ReadonlyArray<string>
  /** Who decides about calls of tools there, if anybody does. */
  readonly decide: Decide | undefined
  readonly fail: (reason: string, status?: number) => E
}

type Decide = (asked: approvals.Elsewhere) => Effect.Effect<typeof approvals.Answer.Type>

export const shown: (url: string) => string = withoutSecrets

export const events = <E>(options: Options<E>): Stream.Stream<Transcript.Event, E, HttpClient.HttpClient> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const run = new RemoteRun(options, yield* HttpClient.HttpClient, yield* Effect.scope)
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
  private readonly scope: Scope.Scope
  /** The calls of tools there, which requests for approval name by their ids. */
  private readonly calls = new Map<unknown, Schema.JsonObject>()
  private started = false
  private ended = false
  private position: Transcript.Position | undefined = undefined
  private attempts = 0
  /** Why the last connection was lost. */
  private reason = "the connection ends before the run does"

  constructor(options: Options<E>, client: HttpClient.HttpClient, scope: Scope.Scope) {
    this.options = options
    this.client = client
    this.scope = scope
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
      const { body, decide, url } = this.options
      const request =
        this.position === undefined
          ? HttpClientRequest.post(url).pipe(
              HttpClientRequest.bodyJsonUnsafe({
                ...body,
                id: this.id,
                resumable: true,
                linger,
                approvals: decide !== undefined
              })
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
    if (event._tag === "message") return this.whole(event)
    if (event._tag !== "open" || event.origin === undefined) return Effect.succeed(event)
    return Effect.succeed({ ...event, origin: { ...event.origin, path: this.here(event.origin.path) } })
  }

  /** A path, or what begins with one: the outermost call there is the call of this agent here. */
  private here(path: string): string {
    const below = path.includes("/") ? path.slice(path.indexOf("/")) : ""
    return `${this.options.path}${below}`
  }

  /** A whole message, in which requests for approval and their answers have the ids that they have here. */
  private whole(event: Extract<Transcript.Event, { _tag: "message" }>): Effect.Effect<Transcript.Event> {
    const { message } = event
    if (message._tag === "ToolCall") this.calls.set(message.id, message)
    if (message._tag !== "ResponsePart") return Effect.succeed(event)
    const { agent, model, part } = message
    const asked = Option.getOrUndefined(decodeAsked(part))
    const answered = Option.getOrUndefined(decodeAnswered(part))
    const id = asked?.approvalId ?? answered?.approvalId
    if (id === undefined) return Effect.succeed(event)
    const approvalId = this.here(id)
    const shown = new ResponsePart({
      part: { ...(part as Schema.JsonObject), approvalId },
      ...(typeof agent === "string" ? { agent } : {}),
      ...(typeof model === "string" ? { model } : {})
    })
    const here: Transcript.Event = { ...event, message: Message.toJson(shown), hashKey: shown.hashKey }
    const call = this.calls.get(asked?.toolCallId)
    return asked === undefined || call === undefined
      ? Effect.succeed(here)
      : Effect.as(this.decide(id, { approvalId, call, agent }), here)
  }

  /** Has somebody here decide, who waits before anyone can see that there is something to decide, and sends the answer. */
  private decide(
    id: string,
    asked: { readonly approvalId: string; readonly call: Schema.JsonObject; readonly agent: unknown }
  ): Effect.Effect<void> {
    const { decide, trace, url } = this.options
    if (decide === undefined) return Effect.void
    const { agent, approvalId } = asked
    const { id: callId, name, parameters } = asked.call
    const call = new ToolCall({ id: String(callId), name: String(name), parameters })
    const through = typeof agent === "string" && agent !== trace[0] ? [agent, ...trace] : trace
    const send = (value: Schema.Json) =>
      this.client.execute(
        this.authorized(HttpClientRequest.post(`${url}/${this.id}/signal`)).pipe(
          HttpClientRequest.bodyJsonUnsafe({ name: approvals.signalOf(id), value })
        )
      )
    const answer = Effect.flatMap(decide({ approvalId, call, trace: through }), (value) =>
      Effect.ignore(Effect.scoped(Effect.retry(send(value), { times: attempts.further, schedule })))
    )
    return Effect.asVoid(Effect.forkIn(answer, this.scope, { startImmediately: true }))
  }

  private authorized(request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest {
    const { token } = this.options
    return token === undefined ? request : HttpClientRequest.bearerToken(request, token)
  }
}

const decodeLine = Schema.decodeExit(Schema.fromJsonString(Transcript.Event))

const decodeAsked = Schema.decodeUnknownOption(approvals.Asked)
const decodeAnswered = Schema.decodeUnknownOption(approvals.Answered)
const schedule = Schedule.exponential("100 millis")

const isLost = (error: unknown): error is Lost => Predicate.hasProperty(error, "lost")

/** The words of the error alone: the request it names may hold a secret. */
const lost = (error: HttpClientError.HttpClientError): Lost => ({
  lost: `it cannot be reached (${error.reason._tag})`
})
