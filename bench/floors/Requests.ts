/** S13: the official SDKs read as their documentation reads them, and the least that reads the protocols at all. */
import Anthropic from "@anthropic-ai/sdk"
import OpenAI from "openai"
import { type Client, type Endpoint, lookup } from "../Case.ts"

type See = (token: string) => void

/** What a response adds to the conversation when it calls the tool. */
type Turn = ReadonlyArray<object>

/** Asks until the model calls no tool. */
const loop = async (ask: (messages: Array<object>) => Promise<Turn | undefined>): Promise<void> => {
  const messages: Array<object> = [{ role: "user", content: "go" }]
  for (let turn = await ask(messages); turn !== undefined; turn = await ask(messages)) messages.push(...turn)
}

const word = (json: string): string => lookup((JSON.parse(json) as { readonly word: string }).word)

const schema = { type: "object" as const, properties: { word: { type: "string" } }, required: ["word"] }

const openaiTools: Array<OpenAI.Chat.ChatCompletionFunctionTool> = [
  { type: "function", function: { name: "lookup", description: "Looks a word up", parameters: schema } }
]

const openaiTurn = (id: string, json: string): Turn => [
  {
    role: "assistant",
    content: null,
    tool_calls: [{ id, type: "function", function: { name: "lookup", arguments: json } }]
  },
  { role: "tool", tool_call_id: id, content: word(json) }
]

const anthropicTools = [{ name: "lookup", description: "Looks a word up", input_schema: schema }]

const anthropicTurn = (id: string, json: string): Turn => [
  { role: "assistant", content: [{ type: "tool_use", id, name: "lookup", input: JSON.parse(json) }] },
  { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: word(json) }] }
]

const openai = async ({ tool, url }: Endpoint) => {
  const client = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0 })
  const tools = tool ? { tools: openaiTools } : {}
  return (see: See) =>
    loop(async (messages) => {
      const stream = await client.chat.completions.create({
        model: "bench",
        messages: messages as Array<OpenAI.Chat.ChatCompletionMessageParam>,
        stream: true,
        ...tools
      })
      let id = ""
      let json = ""
      for await (const { choices } of stream) {
        const delta = choices[0]?.delta
        if (delta?.content) see(delta.content)
        for (const call of delta?.tool_calls ?? []) {
          id ||= call.id ?? ""
          json += call.function?.arguments ?? ""
        }
      }
      return id === "" ? undefined : openaiTurn(id, json)
    })
}

const anthropic = async ({ tool, url }: Endpoint) => {
  const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 })
  const tools = tool ? { tools: anthropicTools } : {}
  return (see: See) =>
    loop(async (messages) => {
      const stream = await client.messages.create({
        model: "bench",
        max_tokens: 4096,
        messages: messages as Array<Anthropic.MessageParam>,
        stream: true,
        ...tools
      })
      let id = ""
      let json = ""
      for await (const event of stream) {
        if (event.type === "content_block_start" && event.content_block.type === "tool_use") id = event.content_block.id
        if (event.type !== "content_block_delta") continue
        if (event.delta.type === "text_delta") see(event.delta.text)
        if (event.delta.type === "input_json_delta") json += event.delta.partial_json
      }
      return id === "" ? undefined : anthropicTurn(id, json)
    })
}

/** The loop of the official SDK. */
export const sdk: Client = (endpoint) => (endpoint.protocol === "openai" ? openai(endpoint) : anthropic(endpoint))

/** The events of a response whose lines end as those of the bench do. */
async function* events(url: string, body: object): AsyncGenerator<object> {
  const headers = { "content-type": "application/json" }
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })
  let rest = ""
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) if (line.startsWith("data: {")) yield JSON.parse(line.slice(6))
  }
}

/** `fetch`, a split at line ends and `JSON.parse`: no errors, no time-outs, nothing that a server may do otherwise. */
export const raw: Client = async ({ protocol, tool, url }) => {
  const isOpenAi = protocol === "openai"
  const tools = tool ? { tools: isOpenAi ? openaiTools : anthropicTools } : {}
  return (see) =>
    loop(async (messages) => {
      const body = { model: "bench", max_tokens: 4096, messages, stream: true, ...tools }
      let id = ""
      let json = ""
      for await (const event of events(`${url}${isOpenAi ? "/chat/completions" : "/v1/messages"}`, body)) {
        const { choices, content_block, delta } = event as {
          readonly choices?: ReadonlyArray<{ readonly delta: OpenAI.Chat.ChatCompletionChunk.Choice.Delta }>
          readonly content_block?: { readonly id?: string }
          readonly delta?: { readonly text?: string; readonly partial_json?: string }
        }
        const text = choices?.[0]?.delta.content ?? delta?.text
        if (text) see(text)
        const call = choices?.[0]?.delta.tool_calls?.[0]
        id ||= call?.id ?? content_block?.id ?? ""
        json += call?.function?.arguments ?? delta?.partial_json ?? ""
      }
      if (id === "") return undefined
      return isOpenAi ? openaiTurn(id, json) : anthropicTurn(id, json)
    })
}
