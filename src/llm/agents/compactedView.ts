/** A conversation as its prompts have it: with what was compacted in the place of what it replaces. */
import type * as Message from "../../Message.ts"
import { Compacted, outermost, ToolResult } from "./LlmMessage.ts"

/** A message of a prompt, and the one of the conversation that it stands for, by whose hash it is known. */
export interface Entry {
  readonly message: Message.Message
  readonly original: Message.Message
}

/** The same messages, where nothing was compacted. */
export const view = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<Message.Message> =>
  messages.some((message) => message instanceof Compacted) ? entries(messages).map(({ message }) => message) : messages

export const entries = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<Entry> => {
  const seen: Array<Entry> = []
  for (const message of outermost(messages)) {
    if (!(message instanceof Compacted)) seen.push({ message, original: message })
    else if (message.kind === "results") cut(seen, new Set(message.replaces))
    else replace(seen, message)
  }
  return seen
}

const cut = (seen: Array<Entry>, hashes: ReadonlySet<string>): void => {
  for (const [i, { message, original }] of seen.entries()) {
    if (message instanceof ToolResult && hashes.has(original.hashKey)) seen[i] = { message: stub(message), original }
  }
}

/** Where the messages are not all there any more, it stands at its own place. */
const replace = (seen: Array<Entry>, message: Compacted): void => {
  const { replaces } = message
  const hashes = seen.map(({ original }) => original.hashKey)
  const at = hashes.findLastIndex((_, i) => replaces.every((hash, j) => hashes[i + j] === hash))
  const isThere = at >= 0 && replaces.length > 0
  seen.splice(isThere ? at : seen.length, isThere ? replaces.length : 0, { message, original: message })
}

const stub = (result: ToolResult): ToolResult => {
  const { agent, id, isFailure, name, providerExecuted, step } = result
  return new ToolResult({
    id,
    name,
    isFailure,
    result: `[${String(result).length} characters were left out to make room; ${result.hashKey.slice(0, 12)}]`,
    ...(agent === undefined ? {} : { agent }),
    ...(step === undefined ? {} : { step }),
    ...(providerExecuted === undefined ? {} : { providerExecuted })
  })
}
