/** The path that users take: an official SDK's connection to a server on the loopback interface that speaks HTTP. */
import type { Client } from "../Case.ts"
import * as Peers from "../peers/index.ts"
import type { Load } from "../Requests.ts"
import type { Contestant, Result, Scenario, Target } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const sdk = "the official SDK's own loop"
const agent = "miniagents, `LlmAgent`"

interface Setup extends Load {
  readonly id: string
  readonly title: string
  readonly size: number
  /** What the agent may take of the time of the SDK. */
  readonly most: number
}

const contestant =
  (load: Load) =>
  (name: string, kind: Contestant["kind"], client: () => Promise<Client>): Contestant => ({
    name,
    kind,
    floor: sdk,
    load: async () => (await import("../Requests.ts")).make(load, await client())
  })

const first = ({ facts }: Result): number => facts["first token ms, p50"]!.median
const peak = ({ peak }: Result): number => peak.median

const targets = ({ atOnce, most, pace, tokens }: Setup): ReadonlyArray<Target> => [
  Targets.atMost(most, agent, sdk),
  ...(pace === "fast" && tokens > 1 ? [Targets.atMost(1, agent, sdk, "the first token (p50)", first)] : []),
  ...(pace === "fast" && atOnce > 1 ? [Targets.atMost(1.2, agent, sdk, "peak memory", peak)] : []),
  ...(tokens === 1 ? [Targets.limit(agent, "a request", "ms", 0.5, ({ ms }) => ms.median / 1000)] : [])
]

const scenario = (setup: Setup): Scenario => {
  const { id, size, title, tokens } = setup
  const make = contestant(setup)
  const floors = () => import("../floors/Requests.ts")
  const library = () => import("../miniagents/Requests.ts")
  return {
    id,
    title,
    unit: "token",
    size,
    clock: "CPU time",
    gate: tokens * Math.min(20, setup.atOnce),
    patience: 120,
    contestants: [
      make("`fetch`, a split and `JSON.parse`", "floor", async () => (await floors()).raw),
      make(sdk, "floor", async () => (await floors()).sdk),
      make("our model through bare `effect/ai`", "bare", async () => (await library()).bare),
      make(agent, "miniagents", async () => (await library()).agent)
    ],
    // at a fifth of the size, as they take so long
    peers: [
      ...Peers.clients(setup.protocol).map(({ client, name }) => make(name, "peer", client)),
      ...(setup.protocol === "openai" ? [Peers.pydanticAi(setup, sdk)] : [])
    ].map((peer) => ({ ...peer, size: Math.ceil(size / 5) })),
    targets: targets(setup)
  }
}

const openai = { protocol: "openai", pace: "fast", tokens: 500, atOnce: 500, most: 1 } as const

export const S13: ReadonlyArray<Scenario> = [
  { ...openai, id: "S13.1", title: "Chat Completions over HTTP: 500 requests at once, 500 tokens each", size: 250_000 },
  {
    ...openai,
    id: "S13.2",
    title: "Chat Completions over HTTP: 100 requests one after the other, 500 tokens each",
    size: 50_000,
    atOnce: 1
  },
  {
    ...openai,
    id: "S13.3",
    title: "Chat Completions over HTTP: 50 requests at once, 400 tokens each, one every 5 ms",
    size: 20_000,
    atOnce: 50,
    pace: "paced" as const,
    tokens: 400,
    most: 1.2
  },
  {
    ...openai,
    id: "S13.4",
    title: "Chat Completions over HTTP: 250 agents at once that call a tool first, 200 tokens each",
    size: 50_000,
    atOnce: 250,
    pace: "tool" as const,
    tokens: 200,
    most: 1.2
  },
  {
    ...openai,
    id: "S13.5",
    title: "Chat Completions over HTTP: 1,000 requests one after the other, one token each",
    size: 1000,
    atOnce: 1,
    tokens: 1,
    most: 1.2
  },
  {
    ...openai,
    protocol: "anthropic" as const,
    id: "S13.6",
    title: "Messages over HTTP: 500 requests at once, 500 tokens each",
    size: 250_000
  }
].map(scenario)
