/**
 * Remembers the calls of agents as a timeline of bars. It stands before whatever tracer there is and gives every span
 * on, so that an exporter still gets them all.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type * as Timeline from "./Timeline.ts"

/**
 * The calls so far, callers before what they called, and siblings in the order in which they started.
 *
 * @since 0.1.0
 * @category services
 */
export class Spans extends Context.Service<Spans, { readonly calls: Effect.Effect<ReadonlyArray<Timeline.Span>> }>()(
  "miniagents/examples/research/Spans"
) {}

/**
 * Collects the `invoke_agent` spans of what runs in it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Spans> = Layer.effectContext(
  Effect.gen(function* () {
    const inner = yield* Tracer.Tracer
    const calls: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      ...inner,
      span: (options) => {
        const span = inner.span(options)
        if (span.name.startsWith(prefix)) calls.push(span)
        return span
      }
    })
    return Context.make(Tracer.Tracer, tracer).pipe(Context.add(Spans, { calls: Effect.sync(() => barsOf(calls)) }))
  })
)

const prefix = "invoke_agent "

const barsOf = (calls: ReadonlyArray<Tracer.Span>): Array<Timeline.Span> => {
  const children = Map.groupBy(calls, callerOf)
  const below = (caller: Tracer.Span | undefined, depth: number): Array<Timeline.Span> =>
    (children.get(caller) ?? []).flatMap((span) => [barOf(span, depth), ...below(span, depth + 1)])
  return below(undefined, 0)
}

// The nearest span above that is a call; a model's request may lie between.
const callerOf = (span: Tracer.Span): Tracer.Span | undefined => {
  let parent = Option.getOrUndefined(span.parent)
  while (parent?._tag === "Span" && !parent.name.startsWith(prefix)) parent = Option.getOrUndefined(parent.parent)
  return parent?._tag === "Span" ? parent : undefined
}

const barOf = ({ name, status }: Tracer.Span, depth: number): Timeline.Span => {
  const startMillis = millis(status.startTime)
  return {
    name: name.slice(prefix.length),
    depth,
    startMillis,
    endMillis: status._tag === "Ended" ? millis(status.endTime) : startMillis,
    status: status._tag === "Started" ? "running" : outcome(status.exit)
  }
}

const outcome = (exit: Exit.Exit<unknown, unknown>): Timeline.Span["status"] =>
  Exit.isSuccess(exit) ? "ok" : Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failed"

const millis = (nanos: bigint): number => Number(nanos) / 1_000_000
