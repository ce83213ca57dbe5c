/** Writes down the spans of calls, beside whatever tracer the program has. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Observed } from "../../internal/observers.ts"
import * as Message from "../../Message.ts"
import type { End, Event, Fields, Note } from "../wire.ts"
import { attributesOf, plain } from "./attributes.ts"

/** How many spans of one call are told: the first ones. */
export const mostSpans = 300

/** A span that has not ended. */
interface Open {
  readonly id: number
  readonly call: number
  readonly span: Tracer.Span
  readonly kind: Tracer.SpanKind
  readonly t: number
  readonly began: bigint
  readonly notes: Array<Note>
}

/**
 * Tells the spans of calls. They are made by the tracer that a call would have had without this: they are the same
 * objects, and end as they would.
 */
export class Spans {
  private readonly clock: Clock.Clock
  private readonly now: () => number
  private readonly tell: (event: Event) => void
  private readonly ids = new WeakMap<Tracer.AnySpan, number>()
  /** Those that have just begun: they are told with what has been put on them by then. */
  private fresh: Array<Open> = []
  private count = 0

  constructor(clock: Clock.Clock, now: () => number, tell: (event: Event) => void) {
    this.clock = clock
    this.now = now
    this.tell = tell
  }

  /** Gives a call that has not begun a tracer that tells its spans. */
  trace(observed: Observed, call: number, context: Context.Context<never>): void {
    const { traced } = observed
    // that of the caller tells the spans of the caller; one of this call is that of another inspector
    const base = traced === undefined ? bare(Context.get(context, Tracer.Tracer)) : Context.get(traced, Tracer.Tracer)
    observed.traced = Context.add(traced ?? context, Tracer.Tracer, new CallTracer(base, call, this))
  }

  /** Tells the spans that have begun since it was last asked; what is on one that closes comes with its end. */
  poll(closing?: Open): void {
    const { fresh } = this
    this.fresh = []
    for (const open of fresh) this.begin(open, open === closing ? {} : attributesOf(open.span.attributes))
  }

  /** To be told of each span as it begins. */
  see(span: Tracer.Span, call: number, kind: Tracer.SpanKind): void {
    if (!Object.isExtensible(span)) return
    const began = this.clock.currentTimeNanosUnsafe()
    const open: Open = { id: this.count++, call, span, kind, t: this.now(), began, notes: [] }
    this.ids.set(span, open.id)
    this.fresh.push(open)
    let isOver = false
    const { end, event } = span
    span.event = (name, startTime, attributes) => {
      event.call(span, name, startTime, attributes)
      open.notes.push({ t: this.after(open), name, attributes: attributesOf(Object.entries(attributes ?? {})) })
    }
    span.end = (endTime, exit) => {
      end.call(span, endTime, exit)
      if (!isOver) this.close(open, exit)
      isOver = true
    }
  }

  private begin({ call, id, kind, span, t }: Open, attributes: Fields): void {
    const parent = this.ids.get(Option.getOrUndefined(span.parent) ?? span)
    const above = parent === undefined || parent === id ? {} : { parent }
    this.tell({ _tag: "span", t, span: id, call, name: plain(span.name), kind, attributes, ...above })
  }

  private close(open: Open, exit: Exit.Exit<unknown, unknown>): void {
    this.poll(open) // those around it begin before it
    const { id: span, notes } = open
    const attributes = attributesOf(open.span.attributes)
    this.tell({ _tag: "closed", t: this.after(open), span, end: endOf(exit), attributes, notes })
  }

  /** The time since the recording began, as exactly as spans are measured. */
  private after({ began, t }: Open): number {
    return t + Math.round(Number(this.clock.currentTimeNanosUnsafe() - began) / 1_000) / 1_000
  }
}

/** The tracer of one call. */
class CallTracer implements Tracer.Tracer {
  readonly base: Tracer.Tracer
  readonly context: Tracer.Tracer["context"]
  private readonly call: number
  private readonly spans: Spans
  private count = 0

  constructor(base: Tracer.Tracer, call: number, spans: Spans) {
    this.base = base
    this.context = base.context?.bind(base) as Tracer.Tracer["context"] // it stays generic
    this.call = call
    this.spans = spans
  }

  span(options: Parameters<Tracer.Tracer["span"]>[0]): Tracer.Span {
    const span = this.base.span(options)
    if (options.sampled && this.count++ < mostSpans) this.spans.see(span, this.call, options.kind)
    return span
  }
}

const bare = (tracer: Tracer.Tracer): Tracer.Tracer => (tracer instanceof CallTracer ? bare(tracer.base) : tracer)

/** How a span ended. Its failure is that of the call, or was none to the program: the stack stands with the call. */
const endOf = (exit: Exit.Exit<unknown, unknown>): End => {
  if (Exit.isSuccess(exit)) return { is: "ok" }
  if (Cause.hasInterruptsOnly(exit.cause)) return { is: "interrupted" }
  const { error, reason } = Message.fromCause(exit.cause)
  return { is: "failed", failure: { error, reason: plain(reason), trace: [] } }
}
