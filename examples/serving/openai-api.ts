/**
 * An agent as a model of OpenAI's API: OpenAI's own client asks it, and reads on a response that was cut off.
 *
 * Run: node --conditions=miniagents-source examples/serving/openai-api.ts
 *
 * Prints:
 *   models: poet
 *   a completion: Roses are red, / violets are blue.
 *   cut off after: Roses are
 *   and then: red, / violets are blue.
 */
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Agent, MessagePromise, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { Guard, OpenAiApi } from "miniagents/serve"
import OpenAI from "openai"

const poet = Agent.make(
  "Poet",
  Effect.fnUntraced(function* (ctx) {
    const words = ["Roses ", "are ", "red, / ", "violets ", "are ", "blue."]
    yield* ctx.reply(yield* MessagePromise.fromStream(Stream.rechunk(Stream.fromIterable(words), 1)))
  })
)

const Served = HttpRouter.serve(OpenAiApi.layer({ poet }), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
)

/** What anybody who speaks to OpenAI has already. */
const ask = async (client: OpenAI, say: (line: string) => void) => {
  for await (const { id } of client.models.list()) say(`models: ${id}`)
  const { choices } = await client.chat.completions.create({ model: "poet", messages: [] })
  say(`a completion: ${choices[0].message.content}`)

  const request = { model: "poet", input: "Go on", background: true, stream: true } as const
  let [id, number, had] = ["", 0, ""]
  for await (const event of await client.responses.create(request)) {
    number = event.sequence_number
    if (event.type === "response.created") id = event.response.id
    if (event.type === "response.output_text.delta") had += event.delta
    if (had.length >= 10) break // the connection is gone, and the poet goes on
  }
  say(`cut off after: ${had.slice(0, 10).trim()}`)
  let rest = had.slice(10)
  for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: number })) {
    if (event.type === "response.output_text.delta") rest += event.delta
  }
  say(`and then: ${rest}`)
}

export const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const baseURL = `http://127.0.0.1:${"port" in address ? address.port : 0}/v1`
  const lines: Array<string> = []
  yield* Effect.promise(() => ask(new OpenAI({ baseURL, apiKey: "none" }), (line) => lines.push(line)))
  yield* Effect.forEach(lines, (line) => Console.log(line))
}).pipe(Effect.provide(Served), Effect.orDie)

if (import.meta.main) NodeRuntime.runMain(program)
