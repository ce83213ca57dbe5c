/**
 * A model, tools and steps on the loopback interface, which count what they are asked. What the model says follows from
 * what it is asked alone; it goes on with what it has said already, where that is given to it. Each thing it does is a
 * moment, at which somebody can be killed.
 */
import { createHash } from "node:crypto"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

export interface Asked {
  readonly id: string
  /** What was asked, without what the model had said already. */
  readonly key: string
  /** In which life of the program. */
  readonly life: number
  /** How many tokens it has said. */
  tokens: number
  /** How many the whole answer has, also what had been said before. */
  whole: number
  hasEnded: boolean
}

interface Message {
  readonly role: string
  readonly content: unknown
}

const textOf = (content: unknown): string =>
  typeof content === "string" || content === null || content === undefined ? (content ?? "") : JSON.stringify(content)

export class ModelServer {
  readonly asked: Array<Asked> = []
  /** Tools and steps that were taken, as often as they were. */
  readonly done: Array<{ readonly what: string; readonly life: number }> = []
  /** Partial answers that were not the beginning of what it says. */
  misquoted = 0
  life = 0
  onMoment: () => void = () => {}
  url = ""
  private readonly tokens: number
  private readonly server = createServer((request, response) => {
    request.on("error", () => {})
    response.on("error", () => {})
    void text(request).then(
      (body) => this.answer(request.url ?? "", body, response),
      () => {}
    )
  })

  /** So many tokens, more or less, are in each answer. */
  constructor(tokens: number) {
    this.tokens = tokens
  }

  start(): Promise<void> {
    return new Promise((resolve) => {
      this.server.listen(0, "127.0.0.1", () => {
        this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
        resolve()
      })
    })
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve())
      this.server.closeAllConnections()
    })
  }

  private answer(url: string, body: string, response: ServerResponse): void {
    this.onMoment()
    if (url.startsWith("/v1/")) return this.speak(JSON.parse(body) as never, response)
    this.done.push({ what: url.slice(1), life: this.life })
    response.end(`done ${createHash("sha256").update(url).digest("hex").slice(0, 8)}`)
    this.onMoment()
  }

  private speak(
    { messages, tools = [] }: { readonly messages: ReadonlyArray<Message>; readonly tools?: ReadonlyArray<unknown> },
    response: ServerResponse
  ): void {
    const last = messages.at(-1)
    const said = last?.role === "assistant" && textOf(last.content) !== "" ? textOf(last.content) : ""
    const heard = said === "" ? messages : messages.slice(0, -1)
    const key = heard.map(({ content, role }) => `${role}: ${textOf(content)}`).join("|")
    const asked: Asked = {
      id: `chatcmpl-${this.asked.length + 1}`,
      key,
      life: this.life,
      tokens: 0,
      whole: 0,
      hasEnded: false
    }
    this.asked.push(asked)
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.socket?.setNoDelay(true)
    const send = (delta: object, finish: string | null = null) => {
      const chunk = { id: asked.id, object: "chat.completion.chunk", created: 1, model: "counted" }
      response.write(`data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`)
    }
    const end = (finish: string) => {
      send({}, finish)
      response.end("data: [DONE]\n\n")
      asked.hasEnded = true
      this.onMoment()
    }
    const hash = createHash("sha256").update(key).digest("hex")
    if (tools.length > 0 && !heard.some(({ role }) => role === "tool")) {
      const call = { name: "LookUp", arguments: JSON.stringify({ what: hash.slice(0, 6) }) }
      send({
        role: "assistant",
        tool_calls: [{ index: 0, id: `call_${hash.slice(0, 6)}`, type: "function", function: call }]
      })
      return end("tool_calls")
    }
    const count = Math.ceil(this.tokens * (0.5 + parseInt(hash.slice(0, 2), 16) / 255))
    const words = Array.from({ length: count }, (_, i) => `${hash.slice(i % 40, (i % 40) + 4)} `)
    const whole = words.join("")
    asked.whole = words.length
    if (!whole.startsWith(said)) this.misquoted++
    const rest = said === "" ? words : words.slice(said.split(" ").length - 1)
    send({ role: "assistant", content: "" })
    const step = () => {
      if (response.destroyed) return
      const word = rest.shift()
      if (word === undefined) return end("stop")
      send({ content: word })
      asked.tokens++
      this.onMoment()
      setTimeout(step, 2)
    }
    step()
  }
}
