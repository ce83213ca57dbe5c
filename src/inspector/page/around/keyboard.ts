/** What the keys do. */
import { useEffect } from "preact/hooks"
import { switchTheme } from "./Header.tsx"
import type { Line } from "../table/order.ts"
import type { Store } from "../state/store.ts"

/** The keys, as the help shows them. */
export const keys: ReadonlyArray<readonly [keys: string, what: string]> = [
  ["↑ ↓ or k j", "the call above, the call below"],
  ["→ ←", "unfold and fold; or go to the first call below, to the caller"],
  ["Home End", "the first call, the last"],
  ["/", "search what was said"],
  ["a r f w s", "all calls; those that run, failed, wait, are slow"],
  ["n", "the next call that failed"],
  ["Space", "play and stop"],
  [", .", "a little back, a little on"],
  ["l", "what goes on now"],
  ["z", "the time of the selected call alone; again for all"],
  ["c", "talk with an agent"],
  ["t", "light or dark"],
  ["Esc", "close what is open; show the totals"],
  ["?", "this help"]
]

const indexOf = (lines: ReadonlyArray<Line>, call: number | undefined): number =>
  lines.findIndex((line) => line.is === "call" && line.id === call)

/** Goes to the nearest call from a line on. */
const move = (store: Store, from: number, step: 1 | -1): void => {
  const { lines } = store
  for (let i = from; i >= 0 && i < lines.length; i += step) {
    const line = lines[i]!
    if (line.is === "call") return store.select(line.id)
  }
}

const sideways = (store: Store, opens: boolean): void => {
  const { call } = store.route
  const index = indexOf(store.lines, call)
  const line = store.lines[index]
  if (line?.is !== "call") return move(store, 0, 1)
  const folded = store.folded.has(line.key)
  if (opens) {
    if (line.folds && folded) store.fold(line.key, false)
    else if (line.folds) move(store, index + 1, 1)
  } else if (line.folds && !folded) store.fold(line.key, true)
  else {
    const parent = store.model.rows.get(line.id)?.parent
    if (parent !== undefined) store.select(parent)
  }
}

const nextFailed = (store: Store): void => {
  const { lines } = store
  const from = indexOf(lines, store.route.call) + 1
  const turned = [...lines.slice(from), ...lines.slice(0, from)]
  const next = turned.find((line) => line.is === "call" && store.model.rows.get(line.id)?.status === "failed")
  if (next?.is === "call") store.select(next.id)
}

const zoom = (store: Store): void => {
  const row = store.model.rows.get(store.route.call ?? -1)
  if (store.span !== undefined || row === undefined) return store.zoom(undefined)
  const end = row.spoken ?? row.returned ?? store.now
  const margin = Math.max((end - row.at) * 0.05, 5)
  store.zoom({ from: row.at - margin, to: end + margin })
}

const close = (store: Store): void => {
  if (store.panel !== "") return store.open("")
  if (store.route.chat !== undefined) return store.leaveChat()
  store.select(undefined)
}

const actions: Readonly<Record<string, (store: Store) => unknown>> = {
  ArrowDown: (store) => move(store, indexOf(store.lines, store.route.call) + 1, 1),
  ArrowUp: (store) => move(store, indexOf(store.lines, store.route.call) - 1, -1),
  ArrowRight: (store) => sideways(store, true),
  ArrowLeft: (store) => sideways(store, false),
  Home: (store) => move(store, 0, 1),
  End: (store) => move(store, store.lines.length - 1, -1),
  "/": () => document.getElementById("search")?.focus(),
  a: (store) => store.narrow({ state: "", agent: "" }),
  r: (store) => store.narrow({ state: "running" }),
  f: (store) => store.narrow({ state: "failed" }),
  w: (store) => store.narrow({ state: "waiting" }),
  s: (store) => store.narrow({ state: "slow" }),
  n: nextFailed,
  " ": (store) => store.play(store.speed > 0 ? 0 : 1),
  ",": (store) => store.seek((store.route.t ?? store.end) - store.end / 50),
  ".": (store) => store.seek(store.route.t === undefined ? undefined : store.route.t + store.end / 50),
  l: (store) => store.seek(undefined),
  z: zoom,
  t: switchTheme,
  c: (store) => store.live.about?.can.includes("chat") === true && store.toggleChat(),
  Escape: close,
  "?": (store) => store.open("help")
}
const sameAs: Readonly<Record<string, string>> = { j: "ArrowDown", k: "ArrowUp" }

export const useKeyboard = (store: Store): void => {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      const target = event.target as HTMLElement
      const types = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
      if (types && event.key !== "Escape") return
      if (types) target.blur()
      if (event.key === " " && target.tagName === "BUTTON") return
      const action = actions[sameAs[event.key] ?? event.key]
      if (action === undefined) return
      event.preventDefault()
      action(store)
    }
    document.addEventListener("keydown", onKey)
    return () => document.removeEventListener("keydown", onKey)
  }, [store])
}
