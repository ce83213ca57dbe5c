/**
 * An agent behind `useChat` of the AI SDK: its own transport asks it, loses the connection, and comes back to the reply.
 *
 * Run: node --conditions=miniagents-source examples/serving/ai-sdk.ts
 *
 * Prints:
 *   a page asks, and is cut off after: Roses are
 *   another page of the chat has: Roses are red, / violets are blue.
 */
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { DefaultChatTransport, readUIMessageStream, type UIMessage, type UIMessageChunk } from "ai"
import { Console, Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Agent, MessagePromise, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { AiSdk, Guard } from "miniagents/serve"

const poet = Agent.make(
  "Poet",
  Effect.fnUntraced(function* (ctx) {
    const words = ["Roses ", "are ", "red, / ", "violets ", "are ", "blue."]
    yield* ctx.reply(yield* MessagePromise.fromStream(Stream.rechunk(Stream.fromIterable(words), 1)))
  })
)

const Served = HttpRouter.serve(AiSdk.layer("/api/chat", poet), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
)

/** The text that a page shows in the end, or as soon as it has a number of characters. */
const shown = async (stream: ReadableStream<UIMessageChunk>, most = Infinity): Promise<string> => {
  let text = ""
  for await (const { parts } of readUIMessageStream({ stream })) {
    text = parts.map((part) => (part.type === "text" ? part.text : "")).join("")
    if (text.length >= most) break // the connection is gone, and the poet goes on
  }
  return text.slice(0, most)
}

const chat = async (api: string, say: (line: string) => void) => {
  const transport = new DefaultChatTransport({ api })
  const question: UIMessage = { id: "1", role: "user", parts: [{ type: "text", text: "A poem, please" }] }
  const turn = { chatId: "chat-1", messages: [question], messageId: undefined, abortSignal: undefined }
  const reply = await transport.sendMessages({ ...turn, trigger: "submit-message" })
  say(`a page asks, and is cut off after: ${(await shown(reply, 10)).trim()}`)
  const again = await transport.reconnectToStream({ chatId: "chat-1" })
  say(`another page of the chat has: ${again === null ? "nothing" : await shown(again)}`)
}

export const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const api = `http://127.0.0.1:${"port" in address ? address.port : 0}/api/chat`
  const lines: Array<string> = []
  yield* Effect.promise(() => chat(api, (line) => lines.push(line)))
  yield* Effect.forEach(lines, (line) => Console.log(line))
}).pipe(Effect.provide(Served), Effect.orDie)

if (import.meta.main) NodeRuntime.runMain(program)
