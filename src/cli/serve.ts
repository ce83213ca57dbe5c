/**
 * `miniagents serve`: the agents that a file exports, in every protocol there is. It runs on its own, with the `effect`
 * and the `miniagents` that the file imports: those inside of the program are others.
 */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Tool from "effect/ai/Tool"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Message from "../Message.ts"
import * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import * as A2a from "../serve/A2a.ts"
import * as AgUi from "../serve/AgUi.ts"
import * as AiSdk from "../serve/AiSdk.ts"
import * as Guard from "../serve/Guard.ts"
import * as Mcp from "../serve/Mcp.ts"
import * as Native from "../serve/Native.ts"
import * as OpenAiApi from "../serve/OpenAiApi.ts"
import * as AgentsFile from "./agentsFile.ts"
import * as page from "./chatPage.ts"
import * as Failed from "./failed.ts"

export interface Settings {
  readonly file: string
  readonly port: number
  readonly token: string | undefined
  /** The file of SQLite that keeps the runs, if any does. */
  readonly store: string | undefined
}

/** Serves until it is told to end, and has then let go of everything. Gives why it cannot, if it cannot. */
export const serve = (settings: Settings, signal: AbortSignal): Promise<Failed.Failed | undefined> =>
  Failed.run(program(settings), signal)

const program = ({ file, port, store, token }: Settings): Effect.Effect<never, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const keeping = store === undefined ? undefined : yield* Effect.promise(() => import("./serveStore.ts"))
    const { agents, layer: given } = yield* AgentsFile.load(file, keeping?.model)
    const wires = wiresOf(agents)
    const guard = Guard.layer({
      ...(token === undefined ? {} : { token: Redacted.make(token) }),
      open: ["/", "/chat.js", "/chat.css"]
    })
    const runs: Layer.Layer<Runs.Runs, unknown> = keeping?.layer(store!) ?? Runs.layerMemory()
    const again = (keeping?.again(agents) ?? Layer.empty) as Layer.Layer<never> // its runs are the ones above
    const routes = Layer.mergeAll(pages(agents), again, ...wires.map(({ layer }) => layer)).pipe(Layer.provide(given))
    const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(
        NodeHttpServer.layer(createServer, { host: "127.0.0.1", port, gracefulShutdownTimeout: "1 second" })
      ),
      Layer.provide(guard),
      Layer.provide(Layer.provideMerge(runs, MiniAgents.layer()))
    )
    const context = yield* Effect.mapError(Layer.build(server), (error) =>
      Predicate.hasProperty(error, "_tag") && error._tag === "ServeError"
        ? { message: `The port ${port} is taken: choose another one with --port`, isMisuse: false }
        : error
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    const url = `http://127.0.0.1:${address._tag === "UnixPathAddress" ? port : address.port}`
    yield* Console.log(card(url, agents, wires, token))
    return yield* Effect.never
  })

interface Wire {
  readonly name: string
  readonly path: string
  /** The agent that is served there; all of them unless given. */
  readonly agent?: AgentsFile.Served
  readonly layer: Layer.Layer<never, never, HttpRouter.HttpRouter | Guard.Guard | Runs.Runs | MiniAgents.MiniAgents>
}

const wiresOf = (agents: ReadonlyArray<AgentsFile.Served>): ReadonlyArray<Wire> => {
  const each = agents.flatMap((agent, i): ReadonlyArray<Wire> => {
    const name = AgentsFile.pathOf(agent.name)
    const [native, ai, agUi, a2a] = [`/agents/${name}`, `/ai-sdk/${name}`, `/ag-ui/${name}`, `/a2a/${name}`] as const
    // the card of the first agent is that of the host
    const card = i === 0 ? {} : { card: `${a2a}/.well-known/agent-card.json` as const }
    return [
      // the page sends the conversation, with what the assistant said
      { name: "native", path: native, agent, layer: Native.layer(native, agent, { accepts }) },
      { name: "AI SDK", path: ai, agent, layer: AiSdk.layer(ai, agent) },
      { name: "AG-UI", path: agUi, agent, layer: AgUi.layer(agUi, agent) },
      { name: "A2A", path: a2a, agent, layer: A2a.layer(a2a, agent, card) }
    ]
  })
  const models = Object.fromEntries(agents.map((agent) => [agent.name, agent]))
  return [
    ...each,
    { name: "OpenAI", path: "/v1", layer: OpenAiApi.layer(models) },
    { name: "MCP", path: "/mcp", layer: Mcp.layer("/mcp", agents) }
  ]
}

const accepts = [Message.Text, Message.User, Message.Assistant, Message.Data]

/** The page, and what it asks for. */
const pages = (agents: ReadonlyArray<AgentsFile.Served>): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const listed = agents.map(({ description, name, parameters }) => ({
        name,
        description,
        parameters: Tool.getJsonSchemaFromSchema(parameters),
        url: `/agents/${AgentsFile.pathOf(name)}`
      }))
      const file = (body: string, contentType: string) => HttpServerResponse.text(body, { contentType, headers })
      yield* router.add("GET", "/", file(page.html, "text/html; charset=utf-8"))
      yield* router.add("GET", "/chat.js", file(page.js, "text/javascript; charset=utf-8"))
      yield* router.add("GET", "/chat.css", file(page.css, "text/css; charset=utf-8"))
      yield* router.add("GET", "/agents", HttpServerResponse.jsonUnsafe(listed, { headers }))
    })
  )

/** The page runs what this server says and nothing else, and is shown inside of no other one. */
const headers = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
} as const

/** Where everything is. */
const card = (
  url: string,
  agents: ReadonlyArray<AgentsFile.Served>,
  wires: ReadonlyArray<Wire>,
  token: string | undefined
): string => {
  const width = Math.max(...wires.map(({ name }) => name.length), "page".length)
  const line = (name: string, address: string) => `  ${name.padEnd(width)}  ${address}`
  const blocks = agents.map((agent) => [
    agent.name,
    ...wires.flatMap((wire) => (wire.agent === agent ? [line(wire.name, url + wire.path)] : []))
  ])
  const all = wires.flatMap((wire) => (wire.agent === undefined ? [line(wire.name, url + wire.path)] : []))
  const hash = token === undefined ? "" : `/#token=${encodeURIComponent(token)}`
  return [...blocks.flat(), "All agents", ...all, "Try them", line("page", url + hash)].join("\n")
}
