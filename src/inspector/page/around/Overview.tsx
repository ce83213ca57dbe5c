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

export const AgentTotals = ({ agents, onChoose }: AgentTotalsProps) => {
  // a column of nothing takes the room of the names
  const has = (what: (rows: Totals) => number) => agents.some(({ rows }) => what(rows) > 0)
  const columns = [
    { name: "calls", text: (rows: Totals) => count(rows.calls) },
    ...(has(({ failed }) => failed) ? [{ name: "failed", text: ({ failed }: Totals) => shown(failed, count) }] : []),
    { name: "said", text: ({ chars }: Totals) => shown(chars, count) },
    ...(has(({ requests }) => requests)
      ? [{ name: "tokens", text: ({ input, output }: Totals) => shown(input + output, count) }]
      : []),
    ...(has(({ cost }) => cost) ? [{ name: "cost", text: ({ cost }: Totals) => shown(cost, money) }] : []),
    { name: "mean time", text: (rows: Totals) => time(rows.time / rows.calls) }
  ]
  return (
    <table class="totals">
      <caption>By agent</caption>
      <thead>
        <tr>
          <th scope="col">Agent</th>
          {columns.map(({ name }) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {agents.map(({ name: agent, rows }) => (
          <tr key={agent}>
            <th scope="row">
              <button class="link" title={agent} onClick={() => onChoose(agent)}>
                {agent}
              </button>
            </th>
            {columns.map(({ name, text }) => (
              <td key={name} class={name === "failed" ? "failed" : ""}>
                {text(rows)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Nothing for nothing. */
const shown = (n: number, as: (n: number) => string): string => (n > 0 ? as(n) : "")

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
