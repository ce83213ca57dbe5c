/** Two runs side by side: what is the same, what is not, and where it first differs. */
import { useEffect, useState } from "preact/hooks"
import type { About, Compared, ComparedCall, Difference, Side } from "../../wire.ts"
import { ask } from "../state/connection.ts"
import { count, money, time } from "../state/format.ts"
import type { Store } from "../state/store.ts"

/** Which run is looked at, where there are several, and the way to their comparison. */
export const Runs = ({ store }: { readonly store: Store }) => {
  const [runs, setRuns] = useState<ReadonlyArray<About>>([])
  const isConnected = store.state === "connected"
  const { run } = store.route
  useEffect(() => {
    if (!isConnected) return undefined
    const look = () => void ask<ReadonlyArray<About>>("/api/runs").then(setRuns, () => {})
    look()
    const timer = setInterval(look, often)
    return () => clearInterval(timer)
  }, [isConnected, run])
  if (runs.length < 2) return null
  return (
    <>
      <select
        aria-label="Run"
        value={run ?? runs[0]!.id}
        onChange={(event) => store.showRun(event.currentTarget.value)}
      >
        {runs.map((about) => (
          <option key={about.id} value={about.id}>
            {nameOf(about)}
          </option>
        ))}
      </select>
      <button
        aria-pressed={store.panel === "compare"}
        onClick={() => store.open(store.panel === "compare" ? "" : "compare")}
      >
        Compare
      </button>
    </>
  )
}

/** How often is looked which runs there are, in milliseconds. */
const often = 3000

const nameOf = ({ id, live, status, title }: About): string =>
  status === undefined ? (live ? `${title}, live` : id) : `${title} · ${status}`

export const Compare = ({ store }: { readonly store: Store }) => {
  const [runs, setRuns] = useState<ReadonlyArray<About>>([])
  const [other, setOther] = useState<string | undefined>(undefined)
  const [compared, setCompared] = useState<Compared | undefined>(undefined)
  const [only, setOnly] = useState(true)
  useEffect(() => void ask<ReadonlyArray<About>>("/api/runs").then(setRuns, () => {}), [])
  const run = store.route.run ?? runs[0]?.id
  const against = other ?? runs.find(({ id }) => id !== run)?.id
  useEffect(() => {
    setCompared(undefined)
    if (run !== undefined && against !== undefined) {
      ask<Compared>("/api/compare", { run, with: against }).then(setCompared, () => {})
    }
  }, [run, against])
  if (compared === undefined) return <p class="empty">Comparing…</p>
  const shown = only ? compared.calls.filter(({ is }) => is !== "same") : compared.calls
  return (
    <section class="compare" aria-label="Comparison">
      <div class="filters">
        <select
          aria-label="Compare with"
          value={against ?? ""}
          onChange={(event) => setOther(event.currentTarget.value)}
        >
          {runs.flatMap((about) =>
            about.id === run
              ? []
              : [
                  <option key={about.id} value={about.id}>
                    {nameOf(about)}
                  </option>
                ]
          )}
        </select>
        <label>
          <input type="checkbox" checked={only} onChange={(event) => setOnly(event.currentTarget.checked)} />{" "}
          differences alone
        </label>
        <span class="hint" role="status">
          {compared.calls.filter(({ is }) => is === "same").length} of {compared.calls.length} calls are the same
        </span>
        <span class="grow" />
        <button onClick={() => store.open("")}>Close</button>
      </div>
      <Sides left={compared.left} right={compared.right} />
      <ol>
        {shown.slice(0, most).map((call) => (
          <ComparedRow key={`${call.left} ${call.right}`} call={call} store={store} />
        ))}
      </ol>
      {shown.length > most ? <p class="hint">and {shown.length - most} more</p> : null}
      {shown.length === 0 ? <p class="empty">The two runs are the same.</p> : null}
    </section>
  )
}

const most = 500

const Sides = ({ left, right }: { readonly left: Side; readonly right: Side }) => {
  const lines: ReadonlyArray<readonly [string, (side: Side) => string]> = [
    ["began", ({ startedAt }) => new Date(startedAt).toLocaleString()],
    ["time", (side) => time(side.time)],
    ["calls", ({ calls }) => count(calls)],
    ["requests", ({ requests }) => count(requests)],
    ["tokens", ({ input, output }) => `${count(input)} in, ${count(output)} out`],
    ["cost", ({ cost }) => money(cost)]
  ]
  return (
    <table class="totals">
      <thead>
        <tr>
          <th scope="col">Run</th>
          <th scope="col">{left.title} (this)</th>
          <th scope="col">{right.title} (other)</th>
        </tr>
      </thead>
      <tbody>
        {lines.map(([name, of]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{of(left)}</td>
            <td>{of(right)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const signs = { same: "=", changed: "≠", added: "+", removed: "−" } as const
const words = {
  same: "the same",
  changed: "changed",
  added: "in the other run alone",
  removed: "in this run alone"
} as const

const ComparedRow = ({ call, store }: { readonly call: ComparedCall; readonly store: Store }) => {
  const { agent, depth, differs, is, left, path } = call
  const look = () => {
    store.open("")
    store.select(left)
  }
  return (
    <li class={`compared ${is}`} style={{ paddingLeft: `${depth * 16}px` }}>
      <span class="sign" role="img" aria-label={words[is]} title={words[is]}>
        {signs[is]}
      </span>
      {left === undefined ? (
        <strong>{agent}</strong>
      ) : (
        <button class="link" onClick={look}>
          {agent}
        </button>
      )}{" "}
      <small>{path}</small>
      {differs === undefined ? null : <Differs difference={differs} />}
    </li>
  )
}

const Differs = ({ difference: { at, left, right, where } }: { readonly difference: Difference }) => {
  const [a, b] = [left ?? "nothing", right ?? "nothing"]
  let same = 0
  while (same < a.length && a[same] === b[same]) same++
  const from = Math.max(0, same - 30)
  const part = (text: string) => (
    <pre>
      {from > 0 ? "…" : ""}
      {text.slice(from, same)}
      <mark>{text.slice(same, same + 200)}</mark>
      {text.length > same + 200 ? "…" : ""}
    </pre>
  )
  return (
    <div class="differs">
      <small>{where === "sent" || where === "replied" ? `message ${at + 1} ${where}` : where}</small>
      <div>
        {part(a)}
        {part(b)}
      </div>
    </div>
  )
}
