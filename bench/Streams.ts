/** S16: this process serves, and clients in a process of their own read. What counts is what it costs this one. */
import type { Case } from "./Case.ts"
import * as Serving from "./miniagents/Serving.ts"
import { Readers } from "./server/Readers.ts"

const tokens = 100
const pause = 50

/** A way to ask for the tokens of a stream, in which `$n` is the number of the request. */
export interface Wire {
  readonly path: string
  readonly body: (parameters: { readonly count: number; readonly pause: number }) => object
  readonly text: string
}

const user = { role: "user", content: "x" }

export const wires = {
  bare: { path: "/bare", body: (parameters) => ({ parameters }), text: "text" },
  native: { path: "/native", body: (parameters) => ({ parameters }), text: "text" },
  aiSdk: {
    path: "/ai",
    body: (parameters) => ({
      id: "c$n",
      messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "x" }] }],
      parameters
    }),
    text: "delta"
  },
  agUi: {
    path: "/ag-ui",
    body: (parameters) => ({
      threadId: "t",
      runId: "r$n",
      messages: [{ id: "m", ...user }],
      forwardedProps: { parameters }
    }),
    text: "delta"
  },
  openAi: {
    path: "/v1/chat/completions",
    body: (parameters) => ({ model: "talker", stream: true, messages: [user], ...parameters }),
    text: "content"
  },
  silent: { path: "/silent", body: () => ({}), text: "text" },
  bareSilent: { path: "/bare-silent", body: () => ({}), text: "text" }
} satisfies Readonly<Record<string, Wire>>

/** Many streams at once, a token of each every 50 ms: the processor time of an event. */
export const atOnce = (wire: Wire): Case => {
  const ready = Promise.all([Serving.start(), new Readers()])
  return async (size) => {
    const [{ url }, readers] = await ready
    const asked = {
      how: "at once",
      url: `${url}${wire.path}`,
      body: wire.body({ count: tokens, pause }),
      streams: Math.ceil(size / tokens),
      tokens,
      text: wire.text
    } as const
    const cpu = process.cpuUsage()
    await readers.ask(asked)
    const { system, user } = process.cpuUsage(cpu)
    return { ms: (user + system) / 1000 }
  }
}

const asking = (url: string, wire: Wire, how: "in turn" | "hold" | "do not read", streams: number) => ({
  how,
  url: `${url}${wire.path}`,
  body: wire.body({ count: 1, pause: 0 }),
  streams,
  tokens: 1,
  text: wire.text
})

/** Streams one after the other: the sum of the times until the first token of each is there. */
export const firstTokens = (wire: Wire): Case => {
  const ready = Promise.all([Serving.start(), new Readers()])
  return async (size) => {
    const [{ url }, readers] = await ready
    return first(await readers.ask(asking(url, wire, "in turn", size)))
  }
}

/** The same without a network. */
export const firstTokensInProcess: Case = async (size) => {
  const { close, run } = await Serving.start()
  const firsts: Array<number> = []
  for (let i = 0; i < size; i++) {
    const start = performance.now()
    await run(Serving.firstToken)
    firsts.push(performance.now() - start)
  }
  await close()
  return first(firsts)
}

const first = (firsts: ReadonlyArray<number>) => {
  const sorted = [...firsts].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)]!
  // the median, since a pause of the machine is nobody's
  return { ms: median * firsts.length, facts: { "first token ms, p99": sorted[Math.floor(sorted.length * 0.99)]! } }
}

/** What is held beside what was before, in KiB: by the process, and by its objects. */
const memory = async <A>(settle: () => Promise<unknown>, use: () => Promise<A>) => {
  const now = async () => {
    await settle()
    globalThis.gc?.()
    globalThis.gc?.()
    const { arrayBuffers, heapUsed, rss } = process.memoryUsage()
    return { rss: rss / 1024, heap: (heapUsed + arrayBuffers) / 1024 }
  }
  const before = await now()
  await use()
  const after = await now()
  return { rss: after.rss - before.rss, heap: after.heap - before.heap }
}

/** Readers of agents that say nothing; they leave in the end, and nothing may be left of them. */
export const idle = (wire: Wire): Case => {
  const ready = Promise.all([Serving.start(), new Readers()])
  return async (size) => {
    const [{ run, url }, readers] = await ready
    const start = performance.now()
    const held = await memory(
      () => run(Serving.pause),
      () => readers.ask(asking(url, wire, "hold", size))
    )
    await readers.ask({ ...asking(url, wire, "hold", 0), how: "leave" })
    await run(Serving.quiet)
    return {
      ms: performance.now() - start,
      facts: { "KiB a reader": held.heap / size, "KiB a reader, of the process": held.rss / size }
    }
  }
}

/** Readers of 20 MB that do not read. */
export const notRead: Case = async (size) => {
  const [{ run, url }, readers] = await Promise.all([Serving.start(300), new Readers()])
  const start = performance.now()
  await run(Serving.speakLarge)
  const read = { ...asking(url, wires.native, "do not read", size), url: `${url}/large/large/events`, body: undefined }
  const held = await memory(
    () => run(Serving.pause),
    () => readers.ask(read)
  )
  await readers.ask({ ...read, how: "leave" })
  return {
    ms: performance.now() - start,
    facts: { "MB held": held.heap / 1024, "MB held, of the process": held.rss / 1024 }
  }
}

/** Runs that end, or that their reader leaves: what is left of them. */
export const ended: Case = async (size) => {
  const [{ run, url }, readers] = await Promise.all([Serving.start(), new Readers()])
  const some = async (count: number) => {
    await readers.ask({ ...asking(url, wires.native, "in turn", count), how: "in turn" })
    await run(Serving.quiet)
  }
  await some(200)
  const start = performance.now()
  const held = await memory(
    () => run(Serving.pause),
    () => some(size)
  )
  return { ms: performance.now() - start, facts: { "KiB left": held.heap } }
}

/** A server with streams that are open closes. */
export const closed: Case = async (size) => {
  const [{ close, url }, readers] = await Promise.all([Serving.start(), new Readers()])
  await readers.ask(asking(url, wires.silent, "hold", size))
  const start = performance.now()
  await close()
  return { ms: performance.now() - start }
}

/** A reader leaves, or stops a run by its id, while a model is asked: until the model's server sees its socket closed. */
export const stopped: Case = async (size) => {
  const { close, time } = await Serving.stopping()
  const times: Array<number> = []
  for (let i = 0; i < size; i++) times.push(await time(i % 2 === 0 ? "leave" : "stop", `r${i}`))
  await close()
  times.sort((a, b) => a - b)
  return { ms: times.reduce((sum, time) => sum + time, 0), facts: { "ms at most": times.at(-1)! } }
}
