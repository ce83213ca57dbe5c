/** The spans of a call: what took how long inside of it, with what was put on them. */
import type { Fields, Json, Span } from "../../wire.ts"
import { time } from "../state/format.ts"
import type { Store } from "../state/store.ts"
import { Fact, Failed } from "./Values.tsx"

interface Props {
  readonly spans: ReadonlyMap<number, Span>
  readonly store: Store
}

export const Spans = ({ spans, store }: Props) => {
  if (spans.size === 0)
    return <p class="empty">{store.inSteps ? "Spans are not kept with a run." : "No span was made in this call."}</p>
  const all = [...spans.values()]
  const from = Math.min(...all.map(({ at }) => at))
  const to = Math.max(...all.map(({ at, ended }) => ended ?? Math.max(at, store.now)))
  return (
    <div class="spans">
      {inOrder(all).map(({ depth, span }) => (
        <SpanView key={span.span} depth={depth} span={span} from={from} to={to} />
      ))}
      {spans.size < mostSpans ? null : <p class="hint">These are the first {mostSpans} of the call.</p>}
    </div>
  )
}

/** How many spans of a call are told at most. */
const mostSpans = 300

/** Each below the one around it, those of one in the order in which they began. */
const inOrder = (spans: ReadonlyArray<Span>): ReadonlyArray<{ readonly span: Span; readonly depth: number }> => {
  const own = new Set(spans.map(({ span }) => span))
  const below = Map.groupBy(spans, ({ parent }) => (parent !== undefined && own.has(parent) ? parent : undefined))
  const from = (parent: number | undefined, depth: number): ReturnType<typeof inOrder> =>
    (below.get(parent) ?? []).flatMap((span) => [{ span, depth }, ...from(span.span, depth + 1)])
  return from(undefined, 0)
}

interface SpanProps {
  readonly span: Span
  readonly depth: number
  readonly from: number
  readonly to: number
}

const SpanView = ({ depth, from, span, to }: SpanProps) => {
  const { at, attributes, end, ended, kind, name, notes } = span
  const length = Math.max(to - from, 0.001)
  const state = end?.is === "ok" ? "done" : (end?.is ?? "running")
  const bar = { left: `${((at - from) / length) * 100}%`, width: `${(((ended ?? to) - at) / length) * 100}%` }
  return (
    <details class="span">
      <summary>
        <span class="name" style={{ paddingLeft: `${depth * 14}px` }}>
          {name}
        </span>
        {kind === "internal" ? null : <small>{kind}</small>}
        <span class="number">{ended === undefined ? "running" : time(ended - at)}</span>
        <span class="bars" aria-hidden="true">
          <i class={`bar body ${state}`} style={bar} />
        </span>
      </summary>
      <Failed end={end} />
      <Attributes of={attributes} />
      {notes.map(({ attributes, name, t }, i) => (
        <section key={i} aria-label={`Event ${name}`}>
          <h3>
            {name} <small>after {time(t - at)}</small>
          </h3>
          <Attributes of={attributes} />
        </section>
      ))}
    </details>
  )
}

const Attributes = ({ of }: { readonly of: Fields }) => (
  <dl class="facts">
    {Object.entries(of).map(([name, value]) => (
      <Fact key={name} name={name} value={textOf(value)} />
    ))}
  </dl>
)

const textOf = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value))
