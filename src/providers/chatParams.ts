/** What the servers of several providers want changed in a request of Chat Completions. */
import type { OpenAI } from "openai"

export type Params = OpenAI.Chat.ChatCompletionCreateParamsStreaming

export type Message = OpenAI.Chat.ChatCompletionMessageParam

/** The limit of tokens under its older name, which most servers know alone. */
export const olderLimit = ({ max_completion_tokens, ...params }: Params): Params =>
  max_completion_tokens === undefined ? params : { ...params, max_tokens: max_completion_tokens }

/** The same request with other messages. */
export const mapMessages = (params: Params, f: (message: Message) => Message): Params => ({
  ...params,
  messages: params.messages.map(f)
})
