/** The bar at the top: which run, how it stands, what it costs; search, and what is to be had of it. */
import { useRef } from "preact/hooks"
import { Runs } from "./Compare.tsx"
import { download } from "../state/connection.ts"
import { count, many, money } from "../state/format.ts"
import { totals } from "../state/model.ts"
import type { Store } from "../state/store.ts"
import { asksModels } from "../table/Table.tsx"

export const Header = ({ store }: { readonly store: Store }) => {
  const { live, model, past, state } = store
  const sum = totals(model.rows.values(), store.now)
  const isLive = live.about?.live === true && state === "connected" && past === undefined
  const status = state === "lost" ? "lost" : past !== undefined ? "past" : isLive ? "live" : "over"
  return (
    <header>
      <h1>
        <Logo /> {live.about?.title ?? "miniagents"}
      </h1>
      <span class={`pill ${status}`} role="status">
        {words[status]}
      </span>
      <dl class="stats">
        <Stat name={sum.calls === 1 ? "call" : "calls"} value={count(sum.calls)} />
        {sum.open > 0 ? <Stat name="running" value={count(sum.open)} kind="running" /> : null}
        {sum.failed > 0 ? <Stat name="failed" value={count(sum.failed)} kind="failed" /> : null}
        {sum.waiting > 0 ? <Stat name="waiting" value={count(sum.waiting)} kind="waiting" /> : null}
        {sum.input + sum.output > 0 ? <Stat name="tokens" value={tokensOf(sum)} title={cachedOf(sum)} /> : null}
        {sum.cost > 0 ? <Stat name="cost" value={money(sum.cost)} /> : null}
      </dl>
      <Runs store={store} />
      <SearchBox store={store} />
      <Actions store={store} />
    </header>
  )
}

const words = { lost: "connection lost", past: "in the past", live: "live", over: "ended" } as const

const tokensOf = ({ input, output }: { input: number; output: number }): string => `${count(input)} + ${count(output)}`

const cachedOf = ({ cached, input, requests }: { cached: number; input: number; requests: number }): string =>
  `Read and written in ${many(requests, "request")}${input > 0 ? `, ${Math.round((cached / input) * 100)} % of the input from the cache` : ""}`

const Logo = () => (
  <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
    <path d="M5 4v9a3 3 0 0 0 3 3h6M5 8h9" fill="none" stroke="currentColor" stroke-width="1.6" />
    <circle cx="5" cy="4" r="2.4" fill="var(--accent)" />
    <circle cx="15" cy="8" r="2.4" fill="var(--ok)" />
    <circle cx="15" cy="16" r="2.4" fill="var(--speak)" />
  </svg>
)

interface StatProps {
  readonly name: string
  readonly value: string
  readonly kind?: string
  readonly title?: string
}

const Stat = ({ kind = "", name, title, value }: StatProps) => (
  <div class={kind} {...(title === undefined ? {} : { title })}>
    <dd>{value}</dd>
    <dt>{name}</dt>
  </div>
)

const SearchBox = ({ store }: { readonly store: Store }) => {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const onInput = (event: { readonly currentTarget: HTMLInputElement }) => {
    const query = event.currentTarget.value
    clearTimeout(timer.current)
    timer.current = setTimeout(() => void store.search(query), 150)
  }
  return (
    <input
      id="search"
      type="search"
      placeholder="Search what was said  /"
      aria-label="Search what was said"
      autocomplete="off"
      spellcheck={false}
      onInput={onInput}
      onFocus={() => store.found.length > 0 && store.open("search")}
    />
  )
}

const save = async (store: Store, as: "ndjson" | "markdown" | "cassette", name: string): Promise<void> => {
  const { call, run } = store.route
  const blob = await download("/api/export", { as, run, call: as === "markdown" ? call : undefined })
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name })
  link.click()
  URL.revokeObjectURL(link.href)
}

const Actions = ({ store }: { readonly store: Store }) => (
  <nav class="actions" aria-label="Actions">
    {store.live.about?.can.includes("chat") === true ? (
      <button
        aria-pressed={store.route.chat !== undefined}
        onClick={() => store.toggleChat()}
        title="Talk with an agent (c)"
      >
        Chat
      </button>
    ) : null}
    <button onClick={() => void save(store, "ndjson", "run.ndjson")} title="Save the run as a file">
      Save run
    </button>
    <button
      onClick={() => void save(store, "markdown", "run.md")}
      title="Save as Markdown: the call that is selected, or all"
    >
      Markdown
    </button>
    {asksModels(store) ? (
      <button
        onClick={() => void save(store, "cassette", "cassette.tar")}
        title="Save what models answered, for a test that plays it again: unpack it, and give the folder to Cassette.layer"
      >
        Cassette
      </button>
    ) : null}
    <button class="icon" onClick={switchTheme} aria-label="Light or dark" title="Light or dark (t)">
      ◐
    </button>
    <button class="icon" onClick={() => store.open("help")} aria-label="Keyboard" title="Keyboard (?)">
      ?
    </button>
  </nav>
)

/** The theme that was chosen before is that of the next page too. */
export const restoreTheme = (): void => {
  const chosen = localStorage.getItem("miniagents-theme")
  if (chosen !== null) document.documentElement.dataset.theme = chosen
}

export const switchTheme = (): void => {
  const { dataset } = document.documentElement
  const isDark =
    dataset.theme === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : dataset.theme === "dark"
  dataset.theme = isDark ? "light" : "dark"
  localStorage.setItem("miniagents-theme", dataset.theme)
}
