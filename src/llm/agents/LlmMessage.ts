/**
 * What a model says beside its text, as messages of their own: its reasoning, the tools it calls, and what they gave.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Message from "../../Message.ts"

const Options = Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Json))

/**
 * What a model thought before it spoke. `options` is what the provider wants to see again, such as a signature.
 *
 * @since 0.1.0
 * @category models
 */
export class Reasoning extends Message.Class<Reasoning>()("Reasoning", {
  content: Schema.String,
  agent: Schema.optionalKey(Schema.String),
  model: Schema.optionalKey(Schema.String),
  options: Schema.optionalKey(Schema.Json)
}) {}

/**
 * A call of a tool by a model: the id that its result refers to, the name of the tool, its parameters as the model gave
 * them, who called, and in which step (request) of its run, from 1.
 *
 * **Details**
 *
 * In a sequence of replies, everything between a call and the result of the same id was said while the tool worked:
 * see `scopes`.
 *
 * @since 0.1.0
 * @category models
 */
export class ToolCall extends Message.Class<ToolCall>()("ToolCall", {
  id: Schema.String,
  name: Schema.String,
  parameters: Schema.Json,
  agent: Schema.optionalKey(Schema.String),
  step: Schema.optionalKey(Schema.Int),
  providerExecuted: Schema.optionalKey(Schema.Boolean),
  options: Schema.optionalKey(Schema.Json)
}) {
  override toString(): string {
    return `${this.name}(${JSON.stringify(this.parameters)})`
  }
}

/**
 * What a tool gave: a result, or what went wrong where `isFailure`.
 *
 * @since 0.1.0
 * @category models
 */
export class ToolResult extends Message.Class<ToolResult>()("ToolResult", {
  id: Schema.String,
  name: Schema.String,
  result: Schema.Json,
  isFailure: Schema.Boolean,
  agent: Schema.optionalKey(Schema.String),
  providerExecuted: Schema.optionalKey(Schema.Boolean),
  options: Schema.optionalKey(Schema.Json)
}) {
  override toString(): string {
    return typeof this.result === "string" ? this.result : JSON.stringify(this.result)
  }
}

/**
 * Any other part of a response, such as a file or a source, as the provider gave it.
 *
 * @since 0.1.0
 * @category models
 */
export class ResponsePart extends Message.Class<ResponsePart>()("ResponsePart", {
  part: Schema.Json,
  agent: Schema.optionalKey(Schema.String),
  model: Schema.optionalKey(Schema.String)
}) {}

/**
 * The classes of this module, for `Message.codec`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const classes = [Reasoning, ToolCall, ToolResult, ResponsePart] as const

/**
 * A message and the tool calls it was said in, the outermost first: none for what an agent says itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scoped {
  readonly message: Message.Message
  readonly calls: ReadonlyArray<ToolCall>
}

/**
 * Where each message of a sequence comes from: what an agent says while it works as a tool of another one stands
 * between the call and its result, at any depth.
 *
 * **Example**
 *
 * ```ts
 * import { Message } from "miniagents"
 * import { LlmMessage } from "miniagents/llm"
 *
 * const scoped = LlmMessage.scopes([
 *   new LlmMessage.ToolCall({ id: "1", name: "Search", parameters: { query: "effect" } }),
 *   Message.text("found by Search"),
 *   new LlmMessage.ToolResult({ id: "1", name: "Search", result: "found by Search", isFailure: false }),
 *   Message.assistant("the answer")
 * ])
 * scoped.map(({ calls }) => calls.map((call) => call.name)) // [[], ["Search"], [], []]
 * ```
 *
 * @since 0.1.0
 * @category getters
 */
export const scopes = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<Scoped> => {
  const ends = new Map<string, number>()
  messages.forEach((message, i) => {
    if (message instanceof ToolResult) ends.set(message.id, i)
  })
  const open: Array<ToolCall> = []
  return messages.map((message, i) => {
    const last = open[open.length - 1]
    if (message instanceof ToolResult && last?.id === message.id) open.pop()
    const calls = [...open]
    if (message instanceof ToolCall && (ends.get(message.id) ?? -1) > i) open.push(message)
    return { message, calls }
  })
}

/**
 * The messages of a sequence that were not said inside a tool call.
 *
 * @since 0.1.0
 * @category getters
 */
export const outermost = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<Message.Message> =>
  scopes(messages).flatMap(({ calls, message }) => (calls.length === 0 ? [message] : []))

/** @internal */
export const optionsOf = (options: unknown): typeof Options.Type | undefined =>
  Schema.is(Options)(options) ? options : undefined
