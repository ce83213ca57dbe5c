/**
 * Messages for what a model says beside its text: its reasoning, the tools it calls, and what they gave.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Message from "../../Message.ts"

const Options = Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.Json))

/** What every message of a model has. */
const said = {
  agent: Schema.optionalKey(Schema.String),
  model: Schema.optionalKey(Schema.String),
  step: Schema.optionalKey(Schema.Int),
  options: Schema.optionalKey(Schema.Json)
}

/**
 * The thoughts of a model before it spoke: who did, with which model, and in which step (request) of its run, from 1.
 * `options` is what the provider wants back in the next request, such as a signature, under the provider's name.
 *
 * @since 0.1.0
 * @category models
 */
export class Reasoning extends Message.Class<Reasoning>()("Reasoning", { content: Schema.String, ...said }) {
  get [Message.AsideId](): true {
    return true
  }
}

/**
 * A call of a tool by a model: the id that its result refers to, unique in the conversation, the name of the tool, its
 * parameters as the model gave them (a string where they are no JSON), who called, and in which step (request) of its
 * run, from 1. `options` is what the provider wants back with the call, under the provider's name. `clientExecuted` is a
 * call that whoever called the agent is to run (`ClientTools`), `providerExecuted` one that the provider has run. The
 * last call of a response that says nothing has the `usage` of it.
 *
 * **Details**
 *
 * The tokens of a call come while the model writes it. `written` is the JSON of the parameters as it wrote them, where
 * that is not what `JSON.stringify` makes of them.
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
  written: Schema.optionalKey(Schema.String),
  providerExecuted: Schema.optionalKey(Schema.Boolean),
  clientExecuted: Schema.optionalKey(Schema.Boolean),
  usage: Schema.optionalKey(Message.Usage),
  ...said
}) {
  get [Message.AsideId](): true {
    return true
  }

  override toString(): string {
    return `${this.name}(${this.written ?? JSON.stringify(this.parameters)})`
  }
}

/**
 * The outcome of a tool: a result, or what went wrong where `isFailure`. `result` is the value as its schema spells it in
 * JSON; `output` is what the model is shown in its place where the tool says so: parts of a prompt, whose files are
 * `files`, each named there by its `hashKey`, as `sha256:...`.
 *
 * @since 0.1.0
 * @category models
 */
export class ToolResult extends Message.Class<ToolResult>()("ToolResult", {
  id: Schema.String,
  name: Schema.String,
  result: Schema.Json,
  isFailure: Schema.Boolean,
  output: Schema.optionalKey(Schema.Json),
  files: Schema.optionalKey(Schema.Array(Message.File)),
  providerExecuted: Schema.optionalKey(Schema.Boolean),
  ...said
}) {
  get [Message.AsideId](): true {
    return true
  }

  override toString(): string {
    const text = typeof this.result === "string" ? this.result : JSON.stringify(this.result)
    const shown = (this.files ?? []).map(String).filter((file) => !text.includes(file))
    return [text, ...shown].join("\n\n")
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
}) {
  get [Message.AsideId](): true {
    return true
  }
}

/**
 * A message that stands in prompts for messages of a conversation that were left out to make room: `content` is a summary of them,
 * or empty, and `replaces` are their hash keys, in their order. For `"messages"` they are neighbours, for `"results"`
 * results of tools, each of which was cut.
 *
 * **Details**
 *
 * The messages themselves stay in the conversation, before this one; `Compaction.originals` gives them. Prompts of
 * conversations that have such a message are made with it, whoever makes them.
 *
 * @since 0.1.0
 * @category models
 */
export class Compacted extends Message.Class<Compacted>()("Compacted", {
  content: Schema.String,
  kind: Schema.Literals(["messages", "results"]),
  replaces: Schema.Array(Schema.String),
  agent: Schema.optionalKey(Schema.String)
}) {
  get [Message.AsideId](): true {
    return true
  }

  override toString(): string {
    const { content, kind, replaces } = this
    const what = kind === "messages" ? "earlier messages were left out" : "results of tools were cut"
    const head = `[${replaces.length} ${what} to make room; ${this.hashKey.slice(0, 12)}]`
    return content === "" ? head : `${head} A summary of them:\n\n${content}`
  }
}

/**
 * The classes of this module, for `Message.codec`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const classes = [Reasoning, ToolCall, ToolResult, ResponsePart, Compacted] as const

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
 * **Details**
 *
 * A result answers the nearest call of its id that is open, so that ids may be used again. A conversation in which two
 * turns ran at once can have calls that cross: nothing is inside of those. What a person said (`Message.User`) is never
 * inside of a call. A call that has no result was cut off in its turn: inside of it is what other agents said after it,
 * until somebody else than they speaks.
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
  const { crossed, resultOf, callOf } = pair(messages)
  const open: Array<number> = []
  let cutOff: ToolCall | undefined = undefined
  return messages.map((message, i) => {
    if (callOf.get(i) === open.at(-1)) open.pop()
    if (open.length > 0 || !isOfOther(message, cutOff)) cutOff = undefined
    const inside = open.map((at) => messages[at] as ToolCall)
    const calls = message instanceof Message.User ? [] : cutOff === undefined ? inside : [cutOff]
    if (resultOf.has(i) && !crossed.has(i)) open.push(i)
    else if (open.length === 0 && cutOff === undefined && isCutOff(message, resultOf.has(i))) cutOff = message
    return { message, calls }
  })
}

/** Whether a call was left without a result, by an agent that is known; others than the agent may have results of it. */
const isCutOff = (message: Message.Message, hasResult: boolean): message is ToolCall =>
  message instanceof ToolCall &&
  !hasResult &&
  message.agent !== undefined &&
  message.providerExecuted !== true &&
  message.clientExecuted !== true

const isOfOther = (message: Message.Message, call: ToolCall | undefined): boolean => {
  const { agent } = message as { readonly agent?: unknown }
  return call !== undefined && agent !== undefined && agent !== call.agent
}

/**
 * The messages of a sequence that were not said inside a tool call.
 *
 * @since 0.1.0
 * @category getters
 */
export const outermost = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<Message.Message> =>
  scopes(messages).flatMap(({ calls, message }) => (calls.length === 0 ? [message] : []))

/** Calls and their results, by their positions. @internal */
export interface Pairs {
  readonly resultOf: ReadonlyMap<number, number>
  readonly callOf: ReadonlyMap<number, number>
  /** Calls of which the results come in another order than one inside of the other: turns that ran at once. */
  readonly crossed: ReadonlySet<number>
}

/** Gives each result the nearest open call of its id, if it can, one of the same tool and agent. @internal */
export const pair = (messages: ReadonlyArray<Message.Message>): Pairs => {
  const resultOf = new Map<number, number>()
  const callOf = new Map<number, number>()
  const open = new Map<string, Array<number>>()
  messages.forEach((message, i) => {
    if (!(message instanceof ToolCall || message instanceof ToolResult)) return
    let calls = open.get(message.id)
    if (calls === undefined) open.set(message.id, (calls = []))
    if (message instanceof ToolCall) return void calls.push(i)
    const [call] = calls.splice(
      nearest(
        calls.map((at) => messages[at] as ToolCall),
        message
      ),
      1
    )
    if (call === undefined) return
    resultOf.set(call, i)
    callOf.set(i, call)
  })
  return { resultOf, callOf, crossed: crossings(messages.length, resultOf, callOf) }
}

const nearest = (calls: ReadonlyArray<ToolCall>, { agent, name }: ToolResult): number => {
  const fitting = calls.findLastIndex(
    (call) => call.name === name && (agent === undefined || call.agent === undefined || call.agent === agent)
  )
  return fitting < 0 ? calls.length - 1 : fitting
}

const crossings = (length: number, resultOf: Pairs["resultOf"], callOf: Pairs["callOf"]): ReadonlySet<number> => {
  const crossed = new Set<number>()
  const open: Array<number> = []
  for (let i = 0; i < length; i++) {
    if (resultOf.has(i)) open.push(i)
    const call = callOf.get(i)
    if (call === undefined) continue
    const at = open.lastIndexOf(call)
    if (at < open.length - 1) for (const other of open.slice(at)) crossed.add(other)
    open.splice(at, 1)
  }
  return crossed
}

/** @internal */
export const optionsOf = (options: unknown): typeof Options.Type | undefined =>
  Schema.is(Options)(options) ? options : undefined
