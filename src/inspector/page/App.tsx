/** The page as a whole. */
import { useEffect, useReducer } from "preact/hooks"
import { ChatPane } from "./talk/ChatPane.tsx"
import { CallPane } from "./call/CallPane.tsx"
import { Compare } from "./around/Compare.tsx"
import { Header } from "./around/Header.tsx"
import { useKeyboard } from "./around/keyboard.ts"
import { isOpen } from "./state/model.ts"
import { Overview } from "./around/Overview.tsx"
import { Help, SearchResults } from "./around/Panels.tsx"
import { Scrubber } from "./table/Scrubber.tsx"
import type { Store } from "./state/store.ts"
import { Table } from "./table/Table.tsx"

/** How often bars grow while nothing else changes, in milliseconds. */
const growth = 100

/** Draws when something has changed, and from time to time while anything goes on. */
const useDrawing = (store: Store): void => {
  const [, draw] = useReducer((n: number) => n + 1, 0)
  useEffect(() => store.onDraw(() => draw(0)), [store])
  const { live, past, state } = store
  const goesOn = past === undefined && state === "connected" && live.about?.live === true && !store.inSteps
  useEffect(() => {
    if (!goesOn) return undefined
    const timer = setInterval(() => {
      if ([...live.rows.values()].some(isOpen)) store.drawSoon()
    }, growth)
    return () => clearInterval(timer)
  }, [goesOn, live, store])
}

export const App = ({ store }: { readonly store: Store }) => {
  useDrawing(store)
  useKeyboard(store)
  const { call, chat } = store.route
  return (
    <div class="app">
      <Header store={store} />
      <Deadlocks store={store} />
      <Questions store={store} />
      {store.panel === "compare" ? <Compare store={store} /> : null}
      <main hidden={store.panel === "compare"}>
        <section class="left" aria-label="Calls">
          <Table store={store} />
          <Scrubber store={store} />
        </section>
        <aside class="right" aria-label={chat !== undefined ? "Chat" : call === undefined ? "Totals" : "Call"}>
          {chat !== undefined && store.chat !== undefined ? (
            <ChatPane key={chat} chat={store.chat} store={store} />
          ) : call === undefined ? (
            <Overview store={store} />
          ) : (
            <CallPane store={store} id={call} />
          )}
        </aside>
      </main>
      {store.panel === "search" ? <SearchResults store={store} /> : null}
      {store.panel === "help" ? <Help store={store} /> : null}
    </div>
  )
}

/** Calls that will never go on are said to everyone at once. */
const Deadlocks = ({ store }: { readonly store: Store }) => {
  const { rows } = store.model
  const stuck = [...rows.values()].filter((row) => row.stuck === true)
  if (stuck.length === 0) return null
  return (
    <div class="deadlock" role="alert">
      <strong>Deadlock</strong> These calls wait for each other and will never go on:
      {stuck.slice(0, 6).map((row) => (
        <span key={row.id}>
          <button class="link" onClick={() => store.select(row.id)}>
            {row.agent}
          </button>{" "}
          waits for{" "}
          <button class="link" onClick={() => store.select(row.waitsFor)}>
            {rows.get(row.waitsFor ?? -1)?.agent ?? "?"}
          </button>
        </span>
      ))}
      {stuck.length > 6 ? <span>and {stuck.length - 6} more</span> : null}
    </div>
  )
}

/** What waits for a person is said to everyone at once, too. */
const Questions = ({ store }: { readonly store: Store }) => {
  const asking = [...store.model.rows.values()].filter((row) => (row.asks ?? 0) > 0)
  if (asking.length === 0) return null
  return (
    <div class="asking" role="status">
      <strong>Waiting for you</strong>
      {asking.slice(0, 8).map((row) => (
        <button key={row.id} class="link" onClick={() => store.select(row.id)}>
          {row.agent}
          {(row.asks ?? 0) > 1 ? ` (${row.asks})` : ""}
        </button>
      ))}
      {asking.length > 8 ? <span>and {asking.length - 8} more</span> : null}
    </div>
  )
}
