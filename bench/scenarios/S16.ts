/** Agents served over HTTP: this process is the server, and its clients have a process of their own. */
import type * as Streams from "../Streams.ts"
import type { Contestant, Result, Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

type Wire = keyof typeof Streams.wires

const bare = "a bare route of `effect/http`"
const inProcess = "in the process, without HTTP"

const names = {
  bare,
  bareSilent: bare,
  native: "miniagents, `Native`",
  silent: "miniagents, `Native`",
  aiSdk: "miniagents, `AiSdk`",
  agUi: "miniagents, `AgUi`",
  openAi: "miniagents, `OpenAiApi`"
} as const satisfies Readonly<Record<Wire, string>>

const over = (wire: Wire, how: "atOnce" | "firstTokens" | "idle"): Contestant => ({
  name: names[wire],
  kind: wire.startsWith("bare") ? "floor" : "miniagents",
  load: async () => {
    const streams = await import("../Streams.ts")
    return streams[how](streams.wires[wire])
  }
})

const alone = (name: string, how: "closed" | "ended" | "firstTokensInProcess" | "notRead" | "stopped"): Contestant => ({
  name,
  kind: "miniagents",
  load: async () => (await import("../Streams.ts"))[how]
})

const fact =
  (name: string) =>
  ({ facts }: Result): number =>
    facts[name]!.median

const own = "miniagents, `Native`"
const firsts = 2000

export const S16: ReadonlyArray<Scenario> = [
  {
    id: "S16.1",
    title: "1,000 streams at once over HTTP, 100 tokens each, one every 50 ms",
    unit: "event",
    size: 100_000,
    clock: "CPU time of the server",
    gate: 5000,
    patience: 90,
    contestants: (["bare", "native", "aiSdk", "agUi", "openAi"] as const).map((wire) => over(wire, "atOnce")),
    targets: [names.native, names.aiSdk, names.agUi, names.openAi].map((name) => Targets.atMost(2, name, bare))
  },
  {
    id: "S16.2",
    title: "calls over HTTP, one after the other: until the first token is there",
    unit: "call",
    size: firsts,
    clock: "the median of a call, for all of them",
    gate: 500,
    patience: 60,
    contestants: [
      { ...alone(inProcess, "firstTokensInProcess"), kind: "floor" },
      { ...over("bare", "firstTokens") },
      over("native", "firstTokens")
    ],
    targets: [Targets.more(own, inProcess, "first token", firsts, 1000)]
  },
  {
    id: "S16.3",
    title: "10,000 readers of agents that say nothing",
    unit: "reader",
    size: 10_000,
    gate: 100,
    patience: 120,
    contestants: [over("bareSilent", "idle"), over("silent", "idle")],
    targets: [Targets.limit(own, "a reader", "KiB", 45, fact("KiB a reader"))]
  },
  {
    id: "S16.4",
    title: "50 readers of a message of 20 MB that do not read",
    unit: "reader",
    size: 50,
    gate: 2,
    patience: 60,
    contestants: [alone(own, "notRead")],
    targets: [Targets.limit(own, "all of them", "MB", 100, fact("MB held, of the process"))]
  },
  {
    id: "S16.5",
    title: "runs that are left or stopped while they ask a model over HTTP: until the model's socket is closed",
    unit: "run",
    size: 100,
    gate: 4,
    patience: 60,
    contestants: [alone(own, "stopped")],
    targets: [Targets.limit(own, "the slowest", "ms", 100, fact("ms at most"))]
  },
  {
    id: "S16.6",
    title: "a server with 1,000 open streams closes, with a grace of one second",
    unit: "stream",
    size: 1000,
    gate: 10,
    patience: 60,
    contestants: [alone(own, "closed")],
    targets: [Targets.limit(own, "closing", "ms", 1500, ({ ms }) => ms.median)]
  },
  {
    id: "S16.7",
    title: "10,000 runs over HTTP, one after the other",
    unit: "run",
    size: 10_000,
    gate: 500,
    patience: 120,
    contestants: [alone(own, "ended")],
    targets: [Targets.limit(own, "left of them", "MB", 2, (result) => fact("KiB left")(result) / 1024)]
  }
]
