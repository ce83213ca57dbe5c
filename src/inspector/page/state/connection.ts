/** How the page talks with its server: one stream of updates, taken up again when it breaks, and single questions. */
import type { Update } from "../../wire.ts"

export type State = "connecting" | "connected" | "lost"

const token = new URLSearchParams(location.search).get("token") ?? ""
const headers = { authorization: `Bearer ${token}` }

const address = (path: string, query: Readonly<Record<string, string | number | undefined>> = {}): string => {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]))
  return `${path}?${new URLSearchParams(given)}`
}

/** The answer to a question, as JSON. */
export const ask = async <A>(path: string, query?: Parameters<typeof address>[1], signal?: AbortSignal): Promise<A> => {
  const response = await fetch(address(path, query), { headers, ...(signal === undefined ? {} : { signal }) })
  if (!response.ok) throw new Error(await refusalOf(response))
  return (await response.json()) as A
}

/** Sends what is to be done. */
export const tell = async (path: string, body: unknown, run?: string): Promise<Response> => {
  const response = await fetch(address(path, { run }), {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(await refusalOf(response))
  return response
}

/** Sends what is to be done, and gives what came of it. */
export const tellFor = async <A>(path: string, body: unknown, run?: string): Promise<A> =>
  (await (await tell(path, body, run)).json()) as A

const refusalOf = async (response: Response): Promise<string> => {
  const body = (await response.json().catch(() => ({}))) as { readonly error?: { readonly message?: string } }
  return body.error?.message ?? `The server answered ${response.status}`
}

/** The text of what is to be kept as a file. */
export const download = async (path: string, query: Parameters<typeof address>[1]): Promise<Blob> => {
  const response = await fetch(address(path, query), { headers })
  if (!response.ok) throw new Error(await refusalOf(response))
  return response.blob()
}

/** Waits before it tries again, a little longer each time. */
const firstPause = 300
const longestPause = 3000

/** Reads updates for as long as the page is there. While the page is hidden it reads none. */
export class Connection {
  private focus: number | undefined
  private readonly run: string | undefined
  private readonly id = crypto.randomUUID()
  private readonly onUpdate: (update: Update) => void
  private readonly onState: (state: State) => void
  private reading: AbortController | undefined = undefined
  private pause = firstPause

  constructor(
    run: string | undefined,
    focus: number | undefined,
    onUpdate: (update: Update) => void,
    onState: (state: State) => void
  ) {
    this.run = run
    this.focus = focus
    this.onUpdate = onUpdate
    this.onState = onState
    document.addEventListener("visibilitychange", this.onVisible)
    void this.read()
  }

  close(): void {
    document.removeEventListener("visibilitychange", this.onVisible)
    this.stop()
  }

  /** Looks at another call. */
  look(focus: number | undefined): void {
    if (focus === this.focus) return
    this.focus = focus
    if (this.reading === undefined) return
    // what cannot be told now is asked for when the connection is taken up again
    tell("/api/focus", { page: this.id, call: focus ?? null }).catch(() => {})
  }

  private stop(): void {
    this.reading?.abort()
    this.reading = undefined
  }

  private readonly onVisible = (): void => {
    if (document.hidden) this.stop()
    else if (this.reading === undefined) void this.read()
  }

  private async read(): Promise<void> {
    const reading = new AbortController()
    this.reading = reading
    while (this.reading === reading) {
      this.onState(this.pause === firstPause ? "connecting" : "lost")
      await this.readOnce(reading.signal).catch(() => {})
      if (this.reading !== reading) return
      this.onState("lost")
      await new Promise((resolve) => setTimeout(resolve, this.pause))
      this.pause = Math.min(this.pause * 1.5, longestPause)
    }
  }

  private async readOnce(signal: AbortSignal): Promise<void> {
    const query = { page: this.id, focus: this.focus, run: this.run }
    const response = await fetch(address("/api/updates", query), { headers, signal })
    if (!response.ok || response.body === null) throw new Error(await refusalOf(response))
    this.onState("connected")
    this.pause = firstPause
    let rest = ""
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const blocks = (rest + value).split("\n\n")
      rest = blocks.pop()!
      for (const block of blocks) {
        if (block.startsWith("data: ")) this.onUpdate(JSON.parse(block.slice(6)) as Update)
      }
    }
  }
}
