/** The chat of the AI SDK, as every page has it. */
import { AbstractChat, type ChatInit, type ChatState, type ChatStatus, DefaultChatTransport, type UIMessage } from "ai"

class State implements ChatState<UIMessage> {
  status: ChatStatus = "ready"
  error: Error | undefined = undefined
  messages: Array<UIMessage> = []
  readonly pushMessage = (message: UIMessage) => {
    this.messages = [...this.messages, message]
  }
  readonly popMessage = () => {
    this.messages = this.messages.slice(0, -1)
  }
  readonly replaceMessage = (index: number, message: UIMessage) => {
    this.messages = this.messages.map((other, i) => (i === index ? structuredClone(message) : other))
  }
  readonly snapshot = <T>(thing: T): T => structuredClone(thing)
}

export class Chat extends AbstractChat<UIMessage> {
  constructor(api: string, init: Partial<ChatInit<UIMessage>> = {}, fetch?: typeof globalThis.fetch) {
    const transport = new DefaultChatTransport({ api, ...(fetch === undefined ? {} : { fetch }) })
    super({ id: "chat-1", transport, onError: () => {}, ...init, state: new State() })
  }
}
