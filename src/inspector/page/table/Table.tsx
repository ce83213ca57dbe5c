/** The tree of calls and their time line: one table, of which only the rows in sight are made. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks"
import type { Row } from "../../wire.ts"
import { count, money, ticks } from "../state/format.ts"
import { endOf, isOpen, type Model, totals } from "../state/model.ts"
import type { Line } from "./order.ts"
import type { Span, Store } from "../state/store.ts"

const rowHeight = 28
const spare = 8

export const Table = ({ store }: { readonly store: Store }) => {
  const scroller = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 600 })
  const { lines } = store
  useLayoutEffect(() => {
    const element = scroller.current!
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight })
    const observer = new ResizeObserver(look)
    observer.observe(element)
    element.addEventListener("scroll", look, { passive: true })
    return () => observer.disconnect()
  }, [])
  useKeepInSight(scroller, store)
  const first = Math.max(0, Math.floor(view.top / rowHeight) - spare)
  const last = Math.min(lines.length, Math.ceil((view.top + view.height) / rowHeight) + spare)
  const span = store.span ?? wholeSpan(store)
  return (
    <div class="table">
      <Filters store={store} />
      <div
        class={`rows ${asksModels(store) ? "" : "unpriced"}`}
        ref={scroller}
        id="calls"
        role="treegrid"
        aria-label="Calls"
        aria-rowcount={lines.length}
        tabIndex={0}
        {...activeOf(store)}
      >
        <Axis span={span} store={store} />
        <div class="canvas" style={{ height: `${lines.length * rowHeight}px` }} role="presentation">
          {lines.slice(first, last).map((line, i) => (
            <TableRow key={line.key} line={line} index={first + i} span={span} store={store} />
          ))}
        </div>
        {lines.length === 0 ? <Empty store={store} /> : null}
      </div>
    </div>
  )
}

/** Whether any model was asked, so that there are tokens and costs to show. */
export const asksModels = ({ model }: Store): boolean =>
  [...model.rows.values()].some(({ models }) => models.length > 0)

/** How much of the time that is shown is left free at its end: it grows in steps, so that bars stay where they are. */
const free = { least: 0.005, most: 0.12 }

/** From the first call to now, or to the end of the last one where none goes on. */
const wholeSpan = (store: Store): Span => {
  const { model, now } = store
  let [from, to] = [Infinity, 0]
  for (const row of model.rows.values()) {
    from = Math.min(from, row.at)
    to = Math.max(to, endOf(row) ?? now)
  }
  const start = Number.isFinite(from) ? from : 0
  const length = Math.max(to - start, store.inSteps ? 4 : 20)
  const { whole } = store
  const [before, left] = [(start - whole.from) / length, (whole.to - start) / length - 1]
  if (before < 0 || before > 0.02 || left < free.least || left > free.most) {
    store.whole = { from: Math.max(0, start - length * 0.01), to: start + length * (to < now ? 1.02 : 1.1) }
  }
  return store.whole
}

const activeOf = ({ route: { call } }: Store) => (call === undefined ? {} : { "aria-activedescendant": `row-c${call}` })

const Empty = ({ store }: { readonly store: Store }) => (
  <p class="empty">
    {store.model.rows.size > 0
      ? "No call is like that."
      : store.state === "connected"
        ? "No agent has been called yet."
        : "Waiting for the program…"}
  </p>
)

/** What is selected comes in sight, also where it was selected elsewhere. */
const useKeepInSight = (scroller: { readonly current: HTMLDivElement | null }, store: Store): void => {
  const { call } = store.route
  const isThere = store.model.rows.has(call ?? -1)
  useEffect(() => {
    const element = scroller.current
    const index = store.lines.findIndex((line) => line.is === "call" && line.id === call)
    if (element === null || index < 0) return
    const top = index * rowHeight
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + 2 * rowHeight > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + 2 * rowHeight - element.clientHeight
    }
  }, [call, isThere, scroller, store])
}

const states = [
  ["", "All"],
  ["running", "Running"],
  ["failed", "Failed"],
  ["waiting", "Waiting"],
  ["slow", "Slow"]
] as const

const Filters = ({ store }: { readonly store: Store }) => {
  const { filter, model } = store
  const agents = [...new Set([...model.rows.values()].map(({ agent }) => agent))].sort()
  return (
    <div class="filters" role="toolbar" aria-label="Filters">
      <div class="segments" role="group" aria-label="State">
        {states.map(([state, name]) => (
          <button key={state} aria-pressed={filter.state === state} onClick={() => store.narrow({ state })}>
            {name}
          </button>
        ))}
      </div>
      <select
        aria-label="Agent"
        value={filter.agent}
        onChange={(event) => store.narrow({ agent: event.currentTarget.value })}
      >
        <option value="">All agents</option>
        {agents.map((agent) => (
          <option key={agent} value={agent}>
            {agent}
          </option>
        ))}
      </select>
      {store.span === undefined ? null : (
        <button onClick={() => store.zoom(undefined)} title="Show all of the time">
          Show all the time
        </button>
      )}
    </div>
  )
}

/** The times above the bars. Dragging over it shows that part of the time alone. */
const Axis = ({ span, store }: { readonly span: Span; readonly store: Store }) => {
  const [start, setStart] = useState<number | undefined>(undefined)
  const length = span.to - span.from
  const timeAt = (event: PointerEvent & { readonly currentTarget: HTMLElement }) => {
    const { left, width } = event.currentTarget.getBoundingClientRect()
    return span.from + (Math.min(Math.max(event.clientX - left, 0), width) / width) * length
  }
  const onUp = (event: PointerEvent & { readonly currentTarget: HTMLElement }) => {
    const end = timeAt(event)
    if (start !== undefined && Math.abs(end - start) > length / 50) {
      store.zoom({ from: Math.min(start, end), to: Math.max(start, end) })
    }
    setStart(undefined)
  }
  return (
    <div class="row head" role="presentation">
      <span class="name">Call</span>
      <span class="number">said</span>
      <span class="number priced">tokens</span>
      <span class="number priced">cost</span>
      <div
        class="bars axis"
        title="Drag to look at a part of the time"
        onPointerDown={(event) => setStart(timeAt(event))}
        onPointerUp={onUp}
        onDblClick={() => store.zoom(undefined)}
      >
        {ticks(span.from, span.to, 6).map((tick) => (
          <span key={tick} style={{ left: `${((tick - span.from) / length) * 100}%` }}>
            {store.time(tick)}
          </span>
        ))}
      </div>
    </div>
  )
}

interface RowProps {
  readonly line: Line
  readonly index: number
  readonly span: Span
  readonly store: Store
}

const TableRow = ({ index, line, span, store }: RowProps) => {
  const isSelected = line.is === "call" && store.route.call === line.id
  const folded = store.folded.has(line.key)
  const ids = line.is === "call" ? [line.id] : line.ids
  const rows = ids.flatMap((id) => store.model.rows.get(id) ?? [])
  return (
    <div
      id={`row-${line.key}`}
      class={`row ${isSelected ? "selected" : ""} ${line.dim ? "dim" : ""} ${line.is}`}
      style={{ transform: `translateY(${index * rowHeight}px)` }}
      role="row"
      aria-level={line.depth + 1}
      aria-rowindex={index + 1}
      aria-selected={isSelected}
      {...(line.folds ? { "aria-expanded": !folded } : {})}
      onClick={() => (line.is === "call" ? store.select(line.id) : store.fold(line.key))}
    >
      <span class="name" role="gridcell" style={{ paddingLeft: `${8 + line.depth * 16}px` }}>
        <Fold line={line} folded={folded} store={store} />
        {line.is === "group" ? <GroupName agent={line.agent} rows={rows} /> : null}
        {line.is === "call" ? rows.map((row) => <CallName key={row.id} row={row} model={store.model} />) : null}
      </span>
      <Numbers rows={rows} />
      <div class="bars" role="gridcell">
        {line.is === "call"
          ? rows.map((row) => <Bar key={row.id} row={row} now={store.now} span={span} store={store} />)
          : stretchesOf(rows, store.now, span).map((stretch, i) => <Mark key={i} stretch={stretch} span={span} />)}
      </div>
    </div>
  )
}

const Numbers = ({ rows }: { readonly rows: ReadonlyArray<Row> }) => {
  const { chars, cost, input, output } = totals(rows, 0)
  return (
    <>
      <span class="number" role="gridcell">
        {chars > 0 ? count(chars) : ""}
      </span>
      <span class="number priced" role="gridcell">
        {input + output > 0 ? count(input + output) : ""}
      </span>
      <span class="number priced" role="gridcell">
        {cost > 0 ? money(cost) : ""}
      </span>
    </>
  )
}

const Fold = ({ folded, line, store }: { readonly line: Line; readonly folded: boolean; readonly store: Store }) => {
  if (!line.folds) return <i class="fold" />
  const onClick = (event: Event) => {
    event.stopPropagation()
    store.fold(line.key)
  }
  return (
    <button class="fold" tabIndex={-1} aria-label={folded ? "Unfold" : "Fold"} onClick={onClick}>
      {folded ? "▸" : "▾"}
    </button>
  )
}

export const signOf = (row: Row): { readonly kind: string; readonly sign: string; readonly word: string } => {
  if (row.stuck === true) return { kind: "stuck", sign: "⚭", word: "deadlocked" }
  if (row.status === "failed") return { kind: "failed", sign: "✕", word: "failed" }
  if (row.status === "interrupted") return { kind: "interrupted", sign: "⊘", word: "interrupted" }
  if (row.waitsFor !== undefined) return { kind: "waiting", sign: "◔", word: "waiting" }
  if (row.status === "running") return { kind: "running", sign: "●", word: "running" }
  if (row.status === "speaking") return { kind: "speaking", sign: "◗", word: "its replies still speak" }
  if (row.status === "done") return { kind: "done", sign: "✓", word: "done" }
  return { kind: "idle", sign: "○", word: "waiting to start" }
}

const CallName = ({ model, row }: { readonly row: Row; readonly model: Model }) => {
  const { kind, sign, word } = signOf(row)
  const awaited = row.waitsFor === undefined ? undefined : model.rows.get(row.waitsFor)
  return (
    <>
      <span class={`sign ${kind}`} role="img" aria-label={word} title={word}>
        {sign}
      </span>
      <span class={`agent ${row.failedBelow > 0 ? "failing" : ""}`} title={row.agent}>
        {row.agent}
      </span>
      {row.failedBelow > 0 ? (
        <span class="badge failed" title={`${row.failedBelow} calls below failed`}>
          {row.failedBelow} failed
        </span>
      ) : null}
      {row.failure === undefined ? null : (
        <span class="reason failed" title={row.failure}>
          {row.failure}
        </span>
      )}
      {awaited === undefined ? null : <span class="reason">waits for {awaited.agent}</span>}
    </>
  )
}

const GroupName = ({ agent, rows }: { readonly agent: string; readonly rows: ReadonlyArray<Row> }) => {
  const open = rows.filter(isOpen).length
  const failed = rows.filter(({ status }) => status === "failed").length
  return (
    <>
      <span class="agent">{agent}</span>
      <span class="badge">× {rows.length}</span>
      {open > 0 ? <span class="badge running">{open} running</span> : null}
      {failed > 0 ? <span class="badge failed">{failed} failed</span> : null}
    </>
  )
}

interface BarProps {
  readonly row: Row
  readonly now: number
  readonly span: Span
}

const percent = (t: number, { from, to }: Span): number => ((t - from) / (to - from)) * 100

const between = (from: number, to: number, span: Span) => {
  const left = Math.max(percent(from, span), 0)
  return { left: `${left}%`, width: `max(2px, ${Math.min(percent(to, span), 100) - left}%)` }
}

const Bar = ({ now, row, span, store }: BarProps & { readonly store: Store }) => {
  const end = endOf(row) ?? now
  if (end < span.from || row.at > span.to) return null
  const body = row.returned ?? now
  const { kind } = signOf(row)
  return (
    <>
      <i class={`bar speech ${kind}`} style={between(row.at, end, span)} />
      <i class={`bar body ${kind}`} style={between(row.started ?? row.at, body, span)} />
      <em style={{ left: `${Math.min(percent(end, span), 100)}%` }}>
        {store.inSteps && end === row.at ? "" : store.duration(end - row.at)}
      </em>
    </>
  )
}

interface Stretch {
  readonly from: number
  to: number
  kind: "done" | "running" | "failed"
}

/** When any of some calls went on, and on top of that those that failed; what is close together is one. */
const stretchesOf = (rows: ReadonlyArray<Row>, now: number, span: Span): ReadonlyArray<Stretch> => {
  const near = (span.to - span.from) / 200
  const joined = (rows: ReadonlyArray<Row>, failed?: "failed"): ReadonlyArray<Stretch> => {
    const found: Array<Stretch> = []
    for (const row of rows.toSorted((a, b) => a.at - b.at)) {
      const to = endOf(row) ?? now
      const kind = failed ?? (isOpen(row) ? "running" : "done")
      const last = found.at(-1)
      if (last === undefined || row.at > last.to + near) found.push({ from: row.at, to, kind })
      else {
        last.to = Math.max(last.to, to)
        if (kind === "running") last.kind = kind
      }
    }
    return found
  }
  return [
    ...joined(rows),
    ...joined(
      rows.filter(({ status }) => status === "failed"),
      "failed"
    )
  ]
}

const Mark = ({ span, stretch: { from, kind, to } }: { readonly stretch: Stretch; readonly span: Span }) =>
  to < span.from || from > span.to ? null : <i class={`bar group ${kind}`} style={between(from, to, span)} />
