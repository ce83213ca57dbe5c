/** What the page looks at, in its address: a link shows the same again. */

export interface Route {
  readonly call: number | undefined
  /** The moment that is looked at; without one it is now. */
  readonly t: number | undefined
  readonly agent: string
  readonly state: string
  readonly run: string | undefined
  /** The conversation with an agent that is open. */
  readonly chat: string | undefined
}

const numberIn = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name)
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined
}

export const read = (): Route => {
  const query = new URLSearchParams(location.hash.slice(1))
  return {
    call: numberIn(query, "call"),
    t: numberIn(query, "t"),
    agent: query.get("agent") ?? "",
    state: query.get("state") ?? "",
    run: query.get("run") ?? undefined,
    chat: query.get("chat") ?? undefined
  }
}

export const write = ({ agent, call, chat, run, state, t }: Route): void => {
  const query = new URLSearchParams()
  if (run !== undefined) query.set("run", run)
  if (call !== undefined) query.set("call", String(call))
  if (chat !== undefined) query.set("chat", chat)
  if (t !== undefined) query.set("t", String(Math.round(t)))
  if (agent !== "") query.set("agent", agent)
  if (state !== "") query.set("state", state)
  const hash = query.toString()
  if (hash !== location.hash.slice(1))
    history.replaceState(null, "", hash === "" ? location.pathname + location.search : `#${hash}`)
}
