/** The input of runs that comes in pieces, as events: the run begins with the first of them. */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { describe, fieldIssues } from "../../internal/fieldIssues.ts"
import type * as MessagePromise from "../../MessagePromise.ts"
import * as MiniAgents from "../../MiniAgents.ts"
import type * as Runs from "../../runs/Runs.ts"
import * as Transcript from "../../Transcript.ts"
import * as callRequest from "../routes/callRequest.ts"

/** Why a piece is refused: what is wrong with it, that all of it is too much, or that no more is awaited. */
export type Refused = { readonly problem: string } | "too large" | "closed"

type Promises = Stream.Stream<MessagePromise.MessagePromise<unknown>, unknown>

/** The inputs that are under way, of the runs of one agent. */
export class LiveInputs {
  private readonly open = new Map<string, LiveInput>()
  private readonly accepts: callRequest.Accepts
  private readonly most: number

  /** `most` is how many bytes all pieces of an input may have, roughly. */
  constructor(accepts: callRequest.Accepts, most: number) {
    this.accepts = accepts
    this.most = most
  }

  /** The input of a run that is about to begin; one that goes on already has its input. */
  begin(runs: Runs.Service, id: string, json: Schema.Json): Effect.Effect<Promises, Refused, MiniAgents.MiniAgents> {
    return Effect.gen({ self: this }, function* () {
      const known = yield* Effect.exit(runs.get(id))
      if (Exit.isSuccess(known) || this.open.has(id)) return Stream.empty
      const input = new LiveInput(this.accepts, this.most, yield* Queue.unbounded<Transcript.Event, Cause.Done>())
      yield* input.take(json)
      this.open.set(id, input)
      const isOver = Effect.map(
        Effect.option(runs.get(id)),
        (run) => run._tag === "None" || run.value.status !== "running"
      )
      const over = Effect.sync(() => {
        if (this.open.get(id) === input) this.open.delete(id)
      })
      return input.promises(isOver, over, yield* MiniAgents.MiniAgents)
    })
  }

  /** Adds a piece. What comes again is compared with what was had, so a piece can be sent until it is answered. */
  add(id: string, json: Schema.Json): Effect.Effect<void, Refused> {
    return Effect.suspend((): Effect.Effect<void, Refused> => this.open.get(id)?.take(json) ?? Effect.fail("closed"))
  }

  /** Ends the input of a run that has ended, or could not begin. */
  end(id: string): Effect.Effect<void> {
    return Effect.sync(() => {
      this.open.get(id)?.end()
      this.open.delete(id)
    })
  }

  /** The events of a run, with whose end the input ends. */
  until<E>(id: string, events: Stream.Stream<Transcript.Event, E>): Stream.Stream<Transcript.Event, E> {
    return this.open.has(id) ? Stream.tap(events, (event) => ("at" in event ? Effect.void : this.end(id))) : events
  }
}

/** How often is looked whether a run whose input goes on has ended without it. */
const often = "15 seconds"
/** What an event counts beside its text. */
const overhead = 64

class LiveInput {
  private readonly accepts: callRequest.Accepts
  private readonly read: ReturnType<typeof callRequest.reader>
  private readonly queue: Queue.Queue<Transcript.Event, Cause.Done>
  private left: number
  /** The text of the message under way: a message that is whole comes without it. */
  private text = ""

  constructor(accepts: callRequest.Accepts, most: number, queue: Queue.Queue<Transcript.Event, Cause.Done>) {
    this.accepts = accepts
    this.read = callRequest.reader(accepts)
    this.left = most
    this.queue = queue
  }

  /** Takes events, all of them or none. */
  take(json: Schema.Json): Effect.Effect<void, Refused> {
    return Effect.suspend((): Effect.Effect<void, Refused> => {
      const decoded = decodeEvents(json)
      if (Result.isFailure(decoded)) {
        const [problem] = fieldIssues(decoded.failure.issue, json).map(describe)
        return Effect.fail({ problem: `\`input\` must be events of a transcript: ${problem}` })
      }
      const events = decoded.success
      let { left, text } = this
      for (const event of events) {
        left -= sizeOf(event)
        text = textAfter(text, event)
        const problem = this.problemOf(event, text)
        if (problem !== undefined) return Effect.fail({ problem })
      }
      if (left < 0) return Effect.fail("too large")
      this.left = left
      this.text = text
      Queue.offerAllUnsafe(this.queue, events)
      if (events.some((event) => !("at" in event))) Queue.endUnsafe(this.queue)
      return Effect.void
    })
  }

  /** The messages as they come. */
  promises(isOver: Effect.Effect<boolean>, over: Effect.Effect<void>, runtime: MiniAgents.Runtime): Promises {
    const watch = Effect.repeat(Effect.delay(isOver, often), { until: (isOver) => isOver })
    const events = Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        yield* Effect.addFinalizer(() => over)
        yield* Effect.forkScoped(Effect.map(watch, () => this.end()))
        return Stream.fromQueue(this.queue)
      })
    )
    return Stream.unwrap(Transcript.decode(events, { classes: callRequest.own(this.accepts) })).pipe(
      Stream.provideService(MiniAgents.MiniAgents, runtime)
    )
  }

  /** Nobody asks for it any more. */
  end(): void {
    Queue.offerUnsafe(this.queue, { _tag: "interrupted" })
    Queue.endUnsafe(this.queue)
  }

  private problemOf(event: Transcript.Event, text: string): string | undefined {
    if (event._tag !== "open" && event._tag !== "message") return undefined
    const problem = event._tag === "open" ? this.refusal(event.known._tag) : this.unreadable(event.message, text)
    return problem && callRequest.at(event.at, problem)
  }

  private refusal(tag: Schema.Json | undefined): string | undefined {
    return callRequest.unaccepted(String(tag), this.accepts)
  }

  private unreadable(message: Schema.JsonObject, text: string): string | undefined {
    const read = this.read(text === "" || "content" in message ? message : { ...message, content: text })
    return typeof read === "string" ? read : undefined
  }
}

/** The text of the message under way. */
const textAfter = (text: string, event: Transcript.Event): string =>
  event._tag === "open" ? "" : event._tag === "text" ? text.slice(0, event.to - event.text.length) + event.text : text

const decodeEvents = Schema.decodeUnknownResult(Schema.Array(Transcript.Event))

const sizeOf = (event: Transcript.Event): number =>
  overhead + (event._tag === "text" ? event.text.length : JSON.stringify(event).length)
