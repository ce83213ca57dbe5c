/** What the whole run has cost, by agent and by model. */
import { count, many, money, time } from "../state/format.ts"
import { models, totalsBy, type Totals } from "../state/model.ts"
import type { Store } from "../state/store.ts"

export const Overview = ({ store }: { readonly store: Store }) => {
  const rows = [...store.model.rows.values()]
  return (
    <div class="pane">
      <h2>Totals</h2>
      <p class="hint">Choose a call to read what it was sent and what it said.</p>
      <AgentTotals agents={totalsBy(rows, store.now)} onChoose={(agent) => store.narrow({ agent })} />
      <ModelTotals uses={models(rows)} />
    </div>
  )
}

interface AgentTotalsProps {
  readonly agents: ReadonlyArray<{ readonly name: string; readonly rows: Totals }>
  readonly onChoose: (agent: string) => void
}

export const AgentTotals = ({ agents, onChoose }: AgentTotalsProps) => (
  <table class="totals">
    <caption>By agent</caption>
    <thead>
      <tr>
        <th scope="col">Agent</th>
        <th scope="col">calls</th>
        <th scope="col">failed</th>
        <th scope="col">said</th>
        <th scope="col">tokens</th>
        <th scope="col">cost</th>
        <th scope="col">mean time</th>
      </tr>
    </thead>
    <tbody>
      {agents.map(({ name, rows }) => (
        <tr key={name}>
          <th scope="row">
            <button class="link" onClick={() => onChoose(name)}>
              {name}
            </button>
          </th>
          <td>{count(rows.calls)}</td>
          <td class={rows.failed > 0 ? "failed" : ""}>{rows.failed > 0 ? count(rows.failed) : ""}</td>
          <td>{count(rows.chars)}</td>
          <td>{rows.input + rows.output > 0 ? count(rows.input + rows.output) : ""}</td>
          <td>{rows.cost > 0 ? money(rows.cost) : ""}</td>
          <td>{time(rows.time / rows.calls)}</td>
        </tr>
      ))}
    </tbody>
  </table>
)

export const ModelTotals = ({ uses }: { readonly uses: ReturnType<typeof models> }) => {
  if (uses.length === 0) return null
  return (
    <table class="totals">
      <caption>By model</caption>
      <thead>
        <tr>
          <th scope="col">Model</th>
          <th scope="col">requests</th>
          <th scope="col">in</th>
          <th scope="col">cached</th>
          <th scope="col">out</th>
          <th scope="col">cost</th>
        </tr>
      </thead>
      <tbody>
        {uses.map((use) => (
          <tr key={use.model}>
            <th scope="row">{use.model === "" ? "unnamed" : use.model}</th>
            <td title={use.running > 0 ? `${many(use.running, "request")} running` : ""}>{count(use.requests)}</td>
            <td>{count(use.input)}</td>
            <td>{use.input > 0 ? `${Math.round((use.cached / use.input) * 100)} %` : ""}</td>
            <td>{count(use.output)}</td>
            <td>{use.cost > 0 ? money(use.cost) : ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
