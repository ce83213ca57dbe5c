/**
 * Messages as the prompt of a model: who said what, and the rules some providers have for the order of it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Prompt from "effect/ai/Prompt"
import { bytesOf } from "../../internal/files.ts"
import * as Message from "../../Message.ts"
import { optionsOf, pair, Reasoning, ResponsePart, scopes, ToolCall, ToolResult } from "./LlmMessage.ts"
import { view } from "./compactedView.ts"
import * as ToolName from "./toolName.ts"

/**
 * Who a message is from, as a model sees it: `System` and `Assistant` are what they say, and so is a message of any
 * class with a `role` field of one of these (`developer` is OpenAI's name for `system`); everything else comes from the
 * user.
 *
 * @since 0.1.0
 * @category getters
 */
export const roleOf = (message: Message.Message): "system" | "user" | "assistant" => {
  if (message._tag === "System") return "system"
  if (message._tag === "Assistant" || message instanceof Reasoning || message instanceof ToolCall) return "assistant"
  const role = Predicate.hasProperty(message, "role") ? message.role : undefined
  if (role === "developer") return "system"
  return role === "system" || role === "assistant" ? role : "user"
}

/**
 * The prompt of a sequence of messages, in their order, each with its text and the files in it. A given `system` text
 * comes first.
 *
 * **Details**
 *
 * Reasoning, text and tool calls of one response become one message of the assistant, as providers want them, and the
 * results follow the calls at once. What was said inside a tool call is left out, since the call's result stands for it.
 *
 * What a provider would refuse is mended: blank texts, reasoning that nothing follows, a call without a result and a
 * result without a call are left out; an id that was used before, or has other characters than all providers take, is
 * another one in the prompt, for the call and its result alike; so is the name of a tool, and parameters that were no
 * JSON object are put into one. What a person said is always there.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromMessages = (
  conversation: ReadonlyArray<Message.Message>,
  options: { readonly system?: string | undefined } = {}
): Prompt.Prompt => {
  const messages = view(conversation)
  const prompt = new PromptBuilder()
  if (options.system !== undefined) prompt.system(options.system)
  const { resultOf } = pair(messages)
  scopes(messages).forEach(({ calls, message }, i) => {
    if (calls.length > 0) return
    if (message instanceof ToolCall) {
      const result = resultOf.get(i)
      if (message.providerExecuted === true) {
        const isBroken = result === undefined && messages.slice(i + 1).some(isOfUser)
        if (!isBroken) prompt.add(callPart(message), message)
      } else if (result !== undefined) prompt.call(message, messages[result] as ToolResult)
    } else if (message instanceof ToolResult) {
      if (message.providerExecuted === true) prompt.add(resultPart(message), message)
    } else if (message instanceof Reasoning) prompt.reasoning(message)
    else if (!(message instanceof ResponsePart)) prompt.text(message)
  })
  return prompt.toPrompt()
}

const isOfUser = (message: Message.Message): boolean =>
  !(message instanceof ToolResult) && !Message.isAside(message) && roleOf(message) === "user"

/**
 * Neighbours of the same role as one message, their texts joined by a delimiter (a blank line by default).
 *
 * @since 0.1.0
 * @category combinators
 */
export const mergeNeighbours = (prompt: Prompt.Prompt, delimiter = blankLine): Prompt.Prompt => {
  const merged: Array<Prompt.Message> = []
  for (const message of prompt.content) {
    const last = merged[merged.length - 1]
    const both = last === undefined ? undefined : merge(last, message, delimiter)
    if (both === undefined) merged.push(message)
    else merged[merged.length - 1] = both
  }
  return Prompt.fromMessages(merged)
}

/**
 * The prompt with all that is for the system first, in its order.
 *
 * @since 0.1.0
 * @category combinators
 */
export const systemFirst = (prompt: Prompt.Prompt): Prompt.Prompt => {
  const isSystem = (message: Prompt.Message) => message.role === "system"
  return Prompt.fromMessages([
    ...prompt.content.filter(isSystem),
    ...prompt.content.filter((message) => !isSystem(message))
  ])
}

/**
 * The prompt with what is for the system first, as far as it was said before the assistant spoke. What came later stays
 * where it is, so that the prompt goes on with that of the request before.
 *
 * @since 0.1.0
 * @category combinators
 */
export const systemBeforeAnswers = (prompt: Prompt.Prompt): Prompt.Prompt => {
  const answer = prompt.content.findIndex((message) => message.role === "assistant")
  if (answer < 0) return systemFirst(prompt)
  const before = systemFirst(Prompt.fromMessages(prompt.content.slice(0, answer)))
  return Prompt.fromMessages([...before.content, ...prompt.content.slice(answer)])
}

/**
 * The prompt with a message from the user in front where the first one, beside those for the system, is not from the
 * user.
 *
 * @since 0.1.0
 * @category combinators
 */
export const startWithUser = (prompt: Prompt.Prompt, text = "/start"): Prompt.Prompt => {
  const first = prompt.content.findIndex((message) => message.role !== "system")
  if (first >= 0 && prompt.content[first].role === "user") return prompt
  const at = first < 0 ? prompt.content.length : first
  const start = Prompt.userMessage({ content: [textPart(text)] })
  return Prompt.fromMessages([...prompt.content.slice(0, at), start, ...prompt.content.slice(at)])
}

/**
 * A rule that makes a prompt fit a provider.
 *
 * @since 0.1.0
 * @category rules
 */
export type Rule = (prompt: Prompt.Prompt) => Prompt.Prompt

/**
 * Texts that Anthropic's rule adds to a conversation: a first message from the user if the conversation does not begin
 * with one (by default `/start`), and the text between two neighbours of the same role that become one message (by
 * default a blank line).
 *
 * @since 0.1.0
 * @category rules
 */
export interface TurnOptions {
  readonly firstUserMessage?: string
  readonly delimiter?: string
}

/**
 * The rule of Anthropic, as the Python original has it: one system text, then a first message from the user, and no two
 * neighbours of the same role.
 *
 * @see {@link inOrderWith} for the rule that the agents of Anthropic have
 * @since 0.1.0
 * @category rules
 */
export const anthropicWith =
  ({ delimiter, firstUserMessage }: TurnOptions): Rule =>
  (prompt) =>
    mergeNeighbours(startWithUser(systemFirst(prompt), firstUserMessage), delimiter)

/**
 * The rule that Anthropic's agents have: that of Anthropic, but what is for the system after an answer stays where it was
 * said.
 *
 * @see {@link withTurns} for what it adds to a conversation
 * @since 0.1.0
 * @category rules
 */
export const inOrderWith =
  ({ delimiter, firstUserMessage }: TurnOptions): Rule =>
  (prompt) =>
    mergeNeighbours(startWithUser(systemBeforeAnswers(prompt), firstUserMessage), delimiter)

/**
 * The rule of Anthropic with `/start` and blank lines.
 *
 * @since 0.1.0
 * @category rules
 */
export const anthropic: Rule = anthropicWith({})

/**
 * The texts that the rule of Anthropic's agents adds to a conversation.
 *
 * @since 0.1.0
 * @category rules
 */
export const CurrentTurns: Context.Reference<TurnOptions> = Context.Reference<TurnOptions>(
  "miniagents/llm/LlmPrompt/CurrentTurns",
  { defaultValue: () => ({}) }
)

/**
 * Sets what is added to the conversations of Anthropic's agents and models that are used inside an effect.
 *
 * **Example**
 *
 * ```ts
 * import { Anthropic } from "miniagents/anthropic"
 * import { LlmPrompt } from "miniagents/llm"
 *
 * const program = Anthropic.agent.trigger(["Hello", "World"], { model: "claude-sonnet-5-5" }).pipe(
 *   LlmPrompt.withTurns({ firstUserMessage: "Go on.", delimiter: "\n" })
 * )
 * ```
 *
 * @since 0.1.0
 * @category rules
 */
export const withTurns =
  (options: TurnOptions) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.updateService(effect, CurrentTurns, (current) => ({ ...current, ...options }))

/**
 * The rule that `LlmAgent` applies to its prompts. By default there is none.
 *
 * @since 0.1.0
 * @category rules
 */
export const CurrentRule: Context.Reference<Rule> = Context.Reference<Rule>("miniagents/llm/LlmPrompt/CurrentRule", {
  defaultValue: () => (prompt) => prompt
})

/**
 * Sets the rule for the agents that are triggered inside an effect.
 *
 * @since 0.1.0
 * @category rules
 */
export const withRule =
  (rule: Rule) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, CurrentRule, rule)

const blankLine = "\n\n"

const textPart = (text: string) => Prompt.textPart({ text })

const systemMessage = (content: string) => Prompt.systemMessage({ content })

const isBlank = (text: string) => text.trim() === ""

/**
 * A prompt as it grows. Invariants:
 * 1. Every call is followed by its result before anything else is said, and no id is used twice.
 * 2. What is added changes nothing before the last message of the assistant and the results that follow it.
 */
class PromptBuilder {
  private readonly messages: Array<Prompt.Message> = []
  private readonly ids = new Set<string>()
  /** The last message of the assistant, and the response it is of. */
  private turn: { at: number; said: string | undefined } = { at: -1, said: undefined }

  system(text: string): void {
    if (!isBlank(text)) this.messages.push(systemMessage(text))
  }

  text(message: Message.Message): void {
    const role = roleOf(message)
    const parts = contentOf(message)
    // What says nothing is left out, and yet is the end of the response before it.
    if (parts.length === 0) return void (this.turn.said = (role === "assistant" ? saidIn(message) : undefined) ?? "")
    if (role === "system") this.messages.push(systemMessage(String(message)))
    else if (role === "user") this.messages.push(Prompt.userMessage({ content: parts }))
    else {
      parts.forEach((part, i) => {
        if (i === 0) this.add(part, message)
        else this.extend(this.messages[this.turn.at] as Prompt.AssistantMessage, part, saidIn(message))
      })
    }
  }

  reasoning(message: Reasoning): void {
    const part = Prompt.reasoningPart({ text: message.content, ...withOptions(message) })
    if (!isBlank(part.text) || Object.keys(part.options).length > 0) this.add(part, message)
  }

  /** Adds to what the assistant says last, if that is of the same response, as far as can be known. */
  add(part: Prompt.AssistantMessagePart, message: Message.Message): void {
    const said = saidIn(message)
    const last = this.messages[this.messages.length - 1]
    if (last?.role === "assistant" && this.joins(last, part, said)) this.extend(last, part, said)
    else this.begin(part, said)
  }

  /** Adds a call and its result; those of one response stand together, before the results of all of them. */
  call(call: ToolCall, result: ToolResult): void {
    const id = this.freeId(call.id)
    const said = saidIn(call)
    const turn = this.messages[this.turn.at]
    const last = this.messages[this.messages.length - 1]
    const part = callPart(call, id)
    const follows = this.turn.at === this.messages.length - 2 && last?.role === "tool" && said !== undefined
    if (follows && turn?.role === "assistant" && said === this.turn.said) this.extend(turn, part, said)
    else this.add(part, call)
    const content = [resultPart(result, id, call.name)]
    if (this.messages[this.messages.length - 1] === last && last?.role === "tool") {
      this.messages[this.messages.length - 1] = Prompt.toolMessage({ content: [...last.content, ...content] })
    } else this.messages.push(Prompt.toolMessage({ content }))
  }

  toPrompt(): Prompt.Prompt {
    // Providers refuse a message that has nothing but thoughts; one without words is something else that goes back.
    const isThought = ({ content, role }: Prompt.Message) =>
      role === "assistant" && content.every((part) => part.type === "reasoning" && !isBlank(part.text))
    return Prompt.fromMessages(this.messages.filter((message) => !isThought(message)))
  }

  private joins(last: Prompt.AssistantMessage, part: Prompt.AssistantMessagePart, said: string | undefined): boolean {
    const before = last.content[last.content.length - 1]
    if (part.type === "text" && before?.type === "text") return false
    if (said !== undefined && this.turn.said !== undefined) return said === this.turn.said
    const isCall = part.type === "tool-call" || part.type === "tool-result"
    return isCall || last.content.every((part) => part.type === "reasoning")
  }

  private begin(part: Prompt.AssistantMessagePart, said: string | undefined): void {
    this.turn = { at: this.messages.length, said }
    this.messages.push(Prompt.assistantMessage({ content: [part] }))
  }

  private extend(turn: Prompt.AssistantMessage, part: Prompt.AssistantMessagePart, said: string | undefined): void {
    this.turn.said ??= said
    this.messages[this.turn.at] = Prompt.assistantMessage({ content: [...turn.content, part] })
  }

  /** An id that every provider takes, and that no call before it has. */
  private freeId(given: string): string {
    const fitted = given.replaceAll(/[^a-zA-Z0-9_-]/g, "_").slice(0, 40) || "call"
    let id = fitted
    for (let n = 2; this.ids.has(id); n++) id = `${fitted.slice(0, 34)}_${n}`
    this.ids.add(id)
    return id
  }
}

/** Which response a message is from, if it says so. */
const saidIn = (message: Message.Message & { readonly agent?: unknown; readonly step?: unknown }): string | undefined =>
  message.step === undefined ? undefined : `${String(message.agent)}\n${String(message.step)}`

/** What was said in a message: texts and files in their order, and for one of any class its text and the files in it. */
const contentOf = (message: Message.Message): ReadonlyArray<Prompt.TextPart | Prompt.FilePart> => {
  const parts: Array<Prompt.TextPart | Prompt.FilePart> = []
  let texts: Array<string> = []
  const flush = () => {
    const text = texts.filter((text) => !isBlank(text)).join(blankLine)
    if (text !== "") parts.push(Prompt.textPart({ text, ...withOptions(message) }))
    texts = []
  }
  for (const part of saidParts(message)) {
    if (typeof part === "string") texts.push(part)
    else {
      flush()
      parts.push(filePart(part, message))
    }
  }
  flush()
  return parts
}

const saidParts = (message: Message.Message): ReadonlyArray<string | Message.File> => {
  if (message instanceof Message.File) return [message]
  if (message instanceof Message.User || message instanceof Message.Assistant) {
    return message.parts?.map((part) => (part instanceof Message.File ? part : part.content)) ?? [message.content]
  }
  return [String(message), ...filesIn(message)]
}

/** The files in a message. @internal */
export const filesIn = (message: Message.Message): ReadonlyArray<Message.File> => {
  if (message instanceof Message.File) return [message]
  return Message.isPlain(message) ? [] : Message.nested(message).filter((inside) => inside instanceof Message.File)
}

/** A file, with what a provider wants to be told of it, or wants back with the message that it is in. */
const filePart = (file: Message.File, message: Message.Message): Prompt.FilePart => {
  const { fileName, mediaType, source } = file
  const data = "url" in source ? new URL(source.url) : source.data
  const name = fileName === undefined ? {} : { fileName }
  return Prompt.filePart({ mediaType, data, ...name, ...withOptions(message), ...withOptions(file) })
}

const withOptions = (message: object) => {
  const found = optionsOf(Predicate.hasProperty(message, "options") ? message.options : undefined)
  return found === undefined ? {} : { options: found }
}

const callPart = (call: ToolCall, id = call.id): Prompt.ToolCallPart =>
  Prompt.toolCallPart({
    id,
    name: ToolName.fit(call.name),
    params: Predicate.isObject(call.parameters) ? call.parameters : noObject(call.parameters),
    providerExecuted: call.providerExecuted ?? false,
    ...withOptions(call)
  })

/** Providers want an object; what the model wrote in its place stands in one, as Anthropic's documentation has it. */
const noObject = (parameters: Schema.Json) => (parameters === null ? {} : { INVALID_JSON: parameters })

const resultPart = (result: ToolResult, id = result.id, name = result.name): Prompt.ToolResultPart => {
  const files = new Map((result.files ?? []).map((file) => [`sha256:${file.hashKey}`, file]))
  const output = Option.getOrUndefined(decodeOutput(result.output))?.map((part) => {
    const file = part.type === "file" ? files.get(String(part.data)) : undefined
    return file === undefined ? part : asGiven(filePart(file, file))
  })
  return Prompt.toolResultPart({
    id,
    name: ToolName.fit(name),
    result: result.result,
    isFailure: result.isFailure,
    providerExecuted: result.providerExecuted ?? false,
    ...(output === undefined ? {} : { modelOutput: output }),
    ...withOptions(result)
  })
}

/** What a tool gave as bytes is given on as bytes. */
const asGiven = (part: Prompt.FilePart): Prompt.FilePart =>
  typeof part.data === "string" ? Prompt.filePart({ ...part, data: bytesOf(part.data) }) : part

const decodeOutput = Schema.decodeUnknownOption(Schema.Array(Prompt.ToolModelOutputPart))

const merge = (a: Prompt.Message, b: Prompt.Message, delimiter: string): Prompt.Message | undefined => {
  if (hasOptions(a) || hasOptions(b)) return undefined
  if (a.role === "system" && b.role === "system") return systemMessage(a.content + delimiter + b.content)
  if (a.role === "user" && b.role === "user") {
    return Prompt.userMessage({ content: joinParts(a.content, b.content, delimiter) })
  }
  if (a.role === "assistant" && b.role === "assistant") {
    return Prompt.assistantMessage({ content: joinParts(a.content, b.content, delimiter) })
  }
  if (a.role === "tool" && b.role === "tool") return Prompt.toolMessage({ content: [...a.content, ...b.content] })
  return undefined
}

/** Whether something of a provider's own stands with a message or a part: joined to another, it would say it of both. */
const hasOptions = ({ options }: { readonly options: Prompt.ProviderOptions }) => Object.keys(options).length > 0

const joinParts = <Part extends Prompt.Part>(
  a: ReadonlyArray<Part | Prompt.TextPart>,
  b: ReadonlyArray<Part | Prompt.TextPart>,
  delimiter: string
): ReadonlyArray<Part | Prompt.TextPart> => {
  const [last, first] = [a[a.length - 1], b[0]]
  if (last?.type !== "text" || first?.type !== "text" || hasOptions(last) || hasOptions(first)) return [...a, ...b]
  return [
    ...a.slice(0, -1),
    textPart((last as Prompt.TextPart).text + delimiter + (first as Prompt.TextPart).text),
    ...b.slice(1)
  ]
}
