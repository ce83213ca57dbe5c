/** One call: what it was sent, what it said, what it asked models, what it cost, what went wrong. */
import { useState } from "preact/hooks"
import type { Detail, Row } from "../../wire.ts"
import { Again } from "./Again.tsx"
import { Conversation } from "./Conversation.tsx"
import { count, money, time } from "../state/format.ts"
import { endOf, isOpen, models, totals, totalsBy } from "../state/model.ts"
import { AgentTotals, ModelTotals } from "../around/Overview.tsx"
import { Requests } from "./Requests.tsx"
import type { Store } from "../state/store.ts"
import { signOf } from "../table/Table.tsx"
import { Spans } from "./Spans.tsx"
import { Fact, Failed } from "./Values.tsx"

const tabs = ["Conversation", "Requests", "Spans", "Details"] as const

export const CallPane = ({ id, store }: { readonly store: Store; readonly id: number }) => {
  const [tab, setTab] = useState<(typeof tabs)[number]>("Conversation")
  const [again, setAgain] = useState<number | undefined>(undefined)
  const { model } = store
  const row = model.rows.get(id)
  if (row === undefined) return <p class="empty">This call has not been made yet.</p>
  const focus = model.focus?.call === id ? model.focus : undefined
  const detail = focus?.detail
  return (
    <div class="pane call">
      <Title
        row={row}
        store={store}
        {...(detail?.run === undefined ? {} : { onAgain: () => setAgain(again === id ? undefined : id) })}
      />
      <div class="tabs" role="tablist" aria-label="Of the call">
        {tabs.map((name) => (
          <button key={name} role="tab" aria-selected={tab === name} onClick={() => setTab(name)}>
            {name}
            {name === "Requests" ? counted((detail?.asked.length ?? 0) + (detail?.kept.length ?? 0)) : ""}
            {name === "Spans" ? counted(focus?.spans.size ?? 0) : ""}
          </button>
        ))}
      </div>
      <div key={`${id} ${tab}`} class="content" role="tabpanel" aria-label={tab}>
        {focus === undefined || detail === undefined ? (
          <p class="empty">Loading…</p>
        ) : again === id ? (
          <Again detail={detail} messages={focus.messages} store={store} onClose={() => setAgain(undefined)} />
        ) : tab === "Conversation" ? (
          <Conversation detail={detail} messages={focus.messages} row={row} store={store} />
        ) : tab === "Requests" ? (
          <Requests detail={detail} store={store} />
        ) : tab === "Spans" ? (
          <Spans spans={focus.spans} store={store} />
        ) : (
          <Details detail={detail} row={row} store={store} />
        )}
      </div>
    </div>
  )
}

interface TitleProps {
  readonly row: Row
  readonly store: Store
  readonly onAgain?: () => void
}

const counted = (n: number): string => (n > 0 ? ` (${n})` : "")

const Title = ({ onAgain, row, store }: TitleProps) => {
  const { kind, sign, word } = signOf(row)
  const above = store.model.lineage(row.id).slice(0, -1)
  const end = endOf(row)
  return (
    <div class="title">
      <nav class="crumbs" aria-label="Called by">
        {above.map(({ agent, id }) => (
          <span key={id}>
            <button class="link" onClick={() => store.select(id)}>
              {agent}
            </button>
            {" › "}
          </span>
        ))}
      </nav>
      <h2>
        <span class={`sign ${kind}`} aria-hidden="true">
          {sign}
        </span>
        {row.agent}
      </h2>
      <span class={`pill ${kind}`}>{word}</span>
      <span class="hint">{store.duration((end ?? store.now) - row.at)}</span>
      <span class="grow" />
      {/* a run that is kept is stopped as a whole, by whoever runs it */}
      {isOpen(row) && store.can("stop") && !(store.inSteps && row.parent !== undefined) ? (
        <button onClick={() => void store.stop(row.id)} title="Stop the call and all below it">
          Stop
        </button>
      ) : null}
      {onAgain !== undefined && store.can("rerun") ? (
        <button onClick={onAgain} title="Run it again, with other words or parameters">
          Run again…
        </button>
      ) : null}
      <button onClick={() => void copyJson(store, row)} title="Copy the call as JSON">
        Copy JSON
      </button>
      <button class="icon" aria-label="Close" title="Show the totals (Esc)" onClick={() => store.select(undefined)}>
        ×
      </button>
    </div>
  )
}

const copyJson = async (store: Store, row: Row): Promise<void> => {
  const { focus } = store.model
  const said = (numbers: ReadonlyArray<number> = []) => numbers.map((at) => focus?.messages.get(at))
  const { replied, sent, ...rest } = focus?.detail ?? {}
  await navigator.clipboard.writeText(
    JSON.stringify(
      { ...row, ...rest, sent: said(sent), replied: said(replied), spans: [...(focus?.spans.values() ?? [])] },
      null,
      2
    )
  )
}

/** When a run that is kept was: its other times count what was kept. */
const whenOf = ({ inSteps, live: { about } }: Store): ReadonlyArray<readonly [string, string | undefined]> => {
  const { endedAt, startedAt = 0 } = about ?? {}
  if (!inSteps || startedAt === 0) return []
  return [
    ["Began", new Date(startedAt).toLocaleString()],
    ["Took", endedAt === undefined ? undefined : time(endedAt - startedAt)]
  ]
}

const Details = ({ detail, row, store }: { readonly detail: Detail; readonly row: Row; readonly store: Store }) => {
  const below = store.model.subtree(row.id)
  const sum = totals(below, store.now)
  const end = endOf(row)
  const facts: ReadonlyArray<readonly [string, string | undefined]> = [
    ["Path", row.path],
    ["Run", detail.run],
    ...(row.parent === undefined ? whenOf(store) : []),
    ["About", detail.description],
    ["Called at", store.time(row.at)],
    ["Waited to start", row.started === undefined ? undefined : store.duration(row.started - row.at)],
    [
      "Body ran",
      row.started === undefined ? undefined : store.duration((row.returned ?? end ?? store.now) - row.started)
    ],
    ["Spoke on for", row.returned === undefined ? undefined : store.duration((row.spoken ?? store.now) - row.returned)],
    ["Messages sent to it", count(row.sent)],
    ["Messages replied", count(row.replied)],
    ["Characters said itself", count(row.chars)],
    ["Calls below", count(below.length - 1)],
    ["Cost with all below", sum.cost > 0 ? money(sum.cost) : undefined]
  ]
  return (
    <>
      <Failed end={detail.returned} />
      <dl class="facts">
        {facts.flatMap(([name, value]) => (value === undefined ? [] : [<Fact key={name} name={name} value={value} />]))}
      </dl>
      {below.length > 1 ? (
        <AgentTotals agents={totalsBy(below, store.now)} onChoose={(agent) => store.narrow({ agent })} />
      ) : null}
      <ModelTotals uses={models(below)} />
    </>
  )
}
