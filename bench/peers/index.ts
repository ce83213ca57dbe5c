/** The peers and the packages whose versions count. */
import type { Client, Protocol } from "../Case.ts"
import type { Load } from "../Requests.ts"
import type { Contestant } from "../Scenario.ts"

interface Peer {
  readonly name: string
  readonly module: string
  readonly packages: ReadonlyArray<string>
}

export const peers: ReadonlyArray<Peer> = [
  { name: "AI SDK", module: "AiSdk", packages: ["ai-7", "@ai-sdk/openai", "@ai-sdk/anthropic"] },
  { name: "OpenAI Agents", module: "OpenAiAgents", packages: ["@openai/agents"] },
  {
    name: "LangChain",
    module: "LangChain",
    packages: ["langchain", "@langchain/core", "@langchain/langgraph", "@langchain/openai", "@langchain/anthropic"]
  },
  { name: "Mastra", module: "Mastra", packages: ["@mastra/core"] },
  { name: "VoltAgent", module: "VoltAgent", packages: ["@voltagent/core", "ai"] },
  { name: "Google ADK", module: "GoogleAdk", packages: ["@google/adk"] }
]

const load = (module: string, id: "S1" | "S2" | "S3") => async () => {
  const [{ agent }, Cases] = await Promise.all([import(`./${module}.ts`), import("./Cases.ts")])
  return Cases.make(agent)[id]
}

/** The peers, and what is no agent library but stands beside them: a bare model call, and no library at all. */
export const contestants = (id: "S1" | "S2" | "S3", floor: string): ReadonlyArray<Contestant> => [
  { name: "raw async generator", kind: "bare", load: load("RawGenerator", id), floor },
  { name: "bare effect/ai", kind: "bare", load: load("EffectAi", id), floor },
  ...peers.map(({ module, name }) => ({ name, kind: "peer" as const, load: load(module, id), floor }))
]

/** The Python original, for S1 alone. */
export const original = (floor: string): Contestant => ({
  name: "Python original",
  kind: "peer",
  load: async () => (await import("./Python.ts")).calls,
  floor
})

/** pydantic-ai, for S13 on Chat Completions. */
export const pydanticAi = (load: Load, floor: string): Contestant => ({
  name: "pydantic-ai (Python)",
  kind: "peer",
  load: async () => (await import("./Python.ts")).requests(load),
  floor
})

/** The peers that speak a protocol themselves, for S13. */
export const clients = (
  protocol: Protocol
): ReadonlyArray<{ readonly name: string; readonly client: () => Promise<Client> }> =>
  ["AI SDK", ...(protocol === "openai" ? ["OpenAI Agents"] : []), "LangChain"].map((name) => {
    const { module } = peers.find((peer) => peer.name === name)!
    return { name, client: async () => (await import(`./requests/${module}.ts`)).client }
  })
