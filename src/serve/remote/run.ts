/** The events of a run on a server, over as many connections as it takes. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import { withoutSecrets } from "../../internal/address.ts"
import { ResponsePart, ToolCall } from "../../llm/agents/LlmMessage.ts"
import * as Message from "../../Message.ts"
import * as approvals from "../../runs/approvals.ts"
import type * as Runs from "../../runs/Runs.ts"
import * as Transcript from "../../Transcript.ts"
import * as runWaits from "../native/waits.ts"
import * as remoteInput from "./input.ts"
import { RemoteWaits } from "./waits.ts"

/** What to ask for, and how to say that it failed. */
export interface Options<E> {
  readonly url: string
  readonly token: Redacted.Redacted | undefined
  readonly input: Stream.Stream<Transcript.Event>
  readonly parameters: Schema.Json
  /** The path of the call here, in whose place the path of the run stands there. */
  readonly path: string
  /** The agents that the call here came through, this one first. */
  readonly trace: ReadonlyArray<string>
  /** Who decides about calls of tools there, if anybody does. */
  readonly decide: Decide | undefined
  /** The run here, whose signals answer what the run there waits for. */
  readonly run: Runs.RunContext | undefined
  readonly fail: (reason: string, status?: number) => E
}

type Decide = (asked: approvals.Elsewhere) => Effect.Effect<typeof approvals.Answer.Type>

export const shown: (url: string) => string = withoutSecrets

export const events = <E>(options: Options<E>): Stream.Stream<Transcript.Event, E, HttpClient.HttpClient> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const input = yield* remoteInput.make(options.input)
      const call = yield* Scope.make()
      const run = new RemoteRun(options, input, yield* HttpClient.HttpClient, yield* Effect.scope, call)
      // in the scope of the stream: who leaves before the end stops the run
      yield* Effect.addFinalizer((exit) => Effect.andThen(run.stop, Scope.close(call, exit)))
      if (input.isWhole) return run.events
      return Stream.merge(run.events, Stream.drain(Stream.fromEffect(run.send)), { haltStrategy: "left" })
    })
  )

/** How long nothing may come, not even a sign of life, before the connection is given up: four heartbeats. */
const silence = "1 minute"
/** How often in a row it is tried to get something, ever later: less often as long as there was nothing at all. */
const attempts = { first: 4, further: 8 }
/** How many seconds the server waits for a caller that has gone without a word. */
const linger = 60

type Events<E> = Stream.Stream<Transcript.Event, Lost | E>
type Lost = { readonly lost: string }

class RemoteRun<E> {
  private readonly id = SecureRandom.uuidV4Unsafe()
  private readonly options: Options<E>
  private readonly input: remoteInput.RemoteInput
  /** Done when the run has begun there. */
  private readonly begun = Deferred.makeUnsafe<void>()
  private readonly client: HttpClient.HttpClient
  private readonly scope: Scope.Scope
  /** The request that begins the run is in a scope of its own: it is not known whether one that is given up has begun it. */
  private readonly call: Scope.Scope
  private asked: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private readonly waits: RemoteWaits | undefined
  /** The calls of tools there, which requests for approval name by their ids. */
  private readonly calls = new Map<unknown, Schema.JsonObject>()
  private ended = false
  private position: Transcript.Position | undefined = undefined
  private attempts = 0
  /** Why the last connection was lost. */
  private reason = "the connection ends before the run does"

  constructor(
    options: Options<E>,
    input: remoteInput.RemoteInput,
    client: HttpClient.HttpClient,
    scope: Scope.Scope,
    call: Scope.Scope
  ) {
    this.options = options
    this.input = input
    this.client = client
    this.scope = scope
    this.call = call
    const { run } = options
    this.waits = run && new RemoteWaits(run, scope, (name, value) => this.signal(name, value))
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

  /** Sends what of the input did not go with the call. */
  get send(): Effect.Effect<void, E> {
    const send = (events: string) => Effect.scoped(this.sendPiece(`{"events":${events}}`))
    return Effect.andThen(Deferred.await(this.begun), this.input.sendTo(send))
  }

  /** Sends a piece of the input until it is answered; whether the run takes more. */
  private sendPiece(piece: string): Effect.Effect<boolean, E, Scope.Scope> {
    const request = this.authorized(HttpClientRequest.post(`${this.options.url}/${this.id}/input`)).pipe(
      HttpClientRequest.bodyText(piece, "application/json")
    )
    const sent = Effect.mapError(this.client.execute(request), lost)
    return Effect.flatMap(sent, (response): Effect.Effect<boolean, Lost | E> => {
      if (response.status === 204) return Effect.succeed(true)
      // who reads the run learns what has become of it
      return response.status === 404 || response.status === 409 ? Effect.succeed(false) : this.refused(response)
    }).pipe(
      Effect.retry({ times: attempts.further, schedule, while: isLost }),
      Effect.mapError((error) => (isLost(error) ? this.options.fail(error.lost) : error))
    )
  }

  /** Interrupts the run, if it has not ended. It is done within a few seconds or not at all. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.asked === undefined || this.ended) return Effect.void
      const request = this.authorized(HttpClientRequest.delete(`${this.options.url}/${this.id}`))
      const stopped = Effect.andThen(Fiber.await(this.asked), Effect.scoped(this.client.execute(request)))
      return Effect.ignore(Effect.timeout(stopped, "5 seconds"))
    })
  }

  private get later(): Stream.Stream<Transcript.Event, E> {
    const most = this.position === undefined ? attempts.first : attempts.further
    if (this.attempts >= most) return Stream.fail(this.options.fail(this.reason))
    const delay = this.attempts <= 1 ? 0 : Math.min(5000, 50 * 2 ** this.attempts)
    return Stream.unwrap(Effect.as(Effect.sleep(delay), this.events))
  }

  /** The same id is the same run, so that asking for it again starts nothing new. */
  private get connect(): Effect.Effect<Events<E>, Lost | E> {
    return Effect.suspend(() => {
      this.attempts++
      const { decide, parameters, run, url } = this.options
      const waits = run !== undefined
      const how = { id: this.id, parameters, resumable: true, linger, approvals: decide !== undefined, waits }
      const body = `{"input":${this.input.first},${JSON.stringify(how).slice(1)}`
      if (this.position === undefined) {
        return this.begin(HttpClientRequest.bodyText(HttpClientRequest.post(url), body, "application/json"))
      }
      return this.ask(HttpClientRequest.get(`${url}/${this.id}/events?from=${this.position}&waits=${waits}`))
    })
  }

  private ask(request: HttpClientRequest.HttpClientRequest): Effect.Effect<Events<E>, Lost | E> {
    const asked = HttpClientRequest.setHeader(this.authorized(request), "accept", "application/x-ndjson")
    return Effect.flatMap(Effect.mapError(this.client.execute(asked), lost), (response) => this.read(response))
  }

  private begin(request: HttpClientRequest.HttpClientRequest): Effect.Effect<Events<E>, Lost | E> {
    return Effect.flatMap(Effect.forkIn(this.ask(request), this.call, { startImmediately: true }), (fiber) => {
      this.asked = fiber
      return Fiber.join(fiber)
    })
  }

  private read(response: HttpClientResponse.HttpClientResponse): Effect.Effect<Events<E>, Lost | E> {
    const { status } = response
    if (status !== 200) return this.refused(response)
    Deferred.doneUnsafe(this.begun, Exit.void)
    return Effect.succeed(
      response.stream.pipe(
        Stream.mapError(lost),
        Stream.timeoutOrElse({ duration: silence, orElse: () => Stream.fail({ lost: "nothing came for a minute" }) }),
        Stream.decodeText,
        Stream.splitLines,
        Stream.filter((line) => line !== ""),
        Stream.mapEffect((line) => this.take(line)),
        Stream.filter((event) => event !== undefined)
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

  private take(line: string): Effect.Effect<Transcript.Event | undefined, E> {
    const exit = decodeLine(line)
    if (Exit.isFailure(exit)) return Effect.fail(this.options.fail("the server sent a line that is no event"))
    this.attempts = 0
    const event = exit.value
    if (event._tag === "waits") {
      const waits = event.waits.map((wait) => ({ ...wait, path: this.here(wait.path) }))
      return Effect.as(this.waits?.take(waits) ?? Effect.void, undefined)
    }
    this.position = Transcript.after(this.position, event)
    if (!("at" in event)) this.ended = true
    if (event._tag === "message") return this.whole(event)
    if (event._tag !== "open" || event.origin === undefined || event.origin.run !== undefined)
      return Effect.succeed(event)
    return Effect.succeed({ ...event, origin: { ...event.origin, path: this.here(event.origin.path) } })
  }

  /** A path, or what begins with one: the outermost call there is the call of this agent here. */
  private here(path: string): string {
    const own = remoteInput.callers(path)
    if (own !== undefined) return own
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
    const { decide, trace } = this.options
    if (decide === undefined) return Effect.void
    const { agent, approvalId } = asked
    const { id: callId, name, parameters } = asked.call
    const call = new ToolCall({ id: String(callId), name: String(name), parameters })
    const through = typeof agent === "string" && agent !== trace[0] ? [agent, ...trace] : trace
    const answer = Effect.flatMap(decide({ approvalId, call, trace: through }), (value) =>
      this.signal(approvals.signalOf(id), value)
    )
    return Effect.asVoid(Effect.forkIn(answer, this.scope, { startImmediately: true }))
  }

  /** Sends the run a signal until it is answered; why it is refused, if it is. */
  private signal(name: string, value: Schema.Json): Effect.Effect<string | undefined> {
    const request = this.authorized(HttpClientRequest.post(`${this.options.url}/${this.id}/signal`)).pipe(
      HttpClientRequest.bodyJsonUnsafe({ name, value })
    )
    return Effect.mapError(this.client.execute(request), lost).pipe(
      Effect.flatMap((response) => (response.status === 204 ? Effect.undefined : this.refused(response))),
      Effect.retry({ times: attempts.further, schedule, while: isLost }),
      Effect.catch((error) => Effect.succeed(isLost(error) ? error.lost : String(error))),
      Effect.scoped
    )
  }

  private authorized(request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest {
    const { token } = this.options
    return token === undefined ? request : HttpClientRequest.bearerToken(request, token)
  }
}

const decodeLine = Schema.decodeExit(Schema.fromJsonString(runWaits.Told))

const decodeAsked = Schema.decodeUnknownOption(approvals.Asked)
const decodeAnswered = Schema.decodeUnknownOption(approvals.Answered)
const schedule = Schedule.exponential("100 millis")

const isLost = (error: unknown): error is Lost => Predicate.hasProperty(error, "lost")

/** The words of the error alone: the request it names may hold a secret. */
const lost = (error: HttpClientError.HttpClientError): Lost => ({
  lost: `it cannot be reached (${error.reason._tag})`
})
