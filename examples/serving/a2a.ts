/**
 * An agent for other agents: the client of the A2A protocol asks it, follows its task, and answers what it asks back.
 *
 * Run: node --conditions=miniagents-source examples/serving/a2a.ts
 *
 * Prints:
 *   the card says: Baker, Bakes what is ordered
 *   it says: A cake, then.
 *   it asks: It waits for `topping`
 *   it says: Here it is, with cherries.
 */
import { createServer } from "node:http"
import { type Message, Role, type SendMessageRequest } from "@a2a-js/sdk"
import { ClientFactory } from "@a2a-js/sdk/client"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Agent, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { A2a, Guard } from "miniagents/serve"

const baker = Agent.make(
  "Baker",
  { description: "Bakes what is ordered" },
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply("A cake, then.")
    const topping = yield* Runs.wait("topping", Schema.String)
    yield* ctx.reply(`Here it is, with ${topping}.`)
  })
)

const Served = HttpRouter.serve(A2a.layer("/baker", baker), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
)

const saying = (value: string, taskId = ""): SendMessageRequest => {
  const part = { content: { $case: "text" as const, value }, metadata: undefined, filename: "", mediaType: "" }
  const rest = { contextId: "", metadata: undefined, extensions: [], referenceTaskIds: [] }
  const message: Message = { messageId: value, taskId, role: Role.ROLE_USER, parts: [part], ...rest }
  return { tenant: "", message, configuration: undefined, metadata: undefined }
}

/** What anybody who speaks A2A has already. */
const order = async (url: string, say: (line: string) => void) => {
  const client = await new ClientFactory().createFromUrl(url)
  const { description, name } = await client.getAgentCard()
  say(`the card says: ${name}, ${description}`)
  let [task, text] = ["", ""]
  const follow = async (request: SendMessageRequest) => {
    for await (const { payload } of client.sendMessageStream(request)) {
      if (payload?.$case === "task") task = payload.value.id
      if (payload?.$case === "artifactUpdate") {
        const [{ content }] = payload.value.artifact!.parts
        if (content?.$case === "text") text += content.value
        if (payload.value.lastChunk) say(`it says: ${text}`)
        if (payload.value.lastChunk) text = ""
      }
      const asked = payload?.$case === "statusUpdate" ? payload.value.status?.message?.parts[0]?.content : undefined
      if (asked?.$case === "text") say(`it asks: ${asked.value}`)
    }
  }
  await follow(saying("One cake, please"))
  await follow(saying("cherries", task))
}

export const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const lines: Array<string> = []
  const url = `http://127.0.0.1:${"port" in address ? address.port : 0}`
  yield* Effect.promise(() => order(url, (line) => lines.push(line)))
  yield* Effect.forEach(lines, (line) => Console.log(line))
}).pipe(Effect.provide(Served), Effect.orDie)

if (import.meta.main) NodeRuntime.runMain(program)
