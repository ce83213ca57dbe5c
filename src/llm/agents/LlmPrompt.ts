/**
 * Messages as the prompt of a model: who said what, and the rules some providers have for the order of it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Prompt from "effect/ai/Prompt"
import type * as Message from "../../Message.ts"
import { optionsOf, outermost, Reasoning, ResponsePart, ToolCall, ToolResult } from "./LlmMessage.ts"

/**
 * Who a message is from, as a model sees it: `System` and `Assistant` are what they say, and so is a message of any
 * class with a `role` field of one of these; everything else comes from the user.
 *
 * @since 0.1.0
 * @category getters
 */
export const roleOf = (message: Message.Message): "system" | "user" | "assistant" => {
  if (message._tag === "System") return "system"
  if (message._tag === "Assistant" || message instanceof Reasoning || message instanceof ToolCall) return "assistant"
  const role = Predicate.hasProperty(message, "role") ? message.role : undefined
  return role === "system" || role === "assistant" ? role : "user"
}

/**
 * The prompt of a sequence of messages, in their order, each with its text. A given `system` text comes first.
 *
 * **Details**
 *
 * Reasoning, text and tool calls of one response become one message of the assistant, as providers want them; what was
 * said inside a tool call is left out, since the call's result stands for it, and so is a call without a result.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromMessages = (
  messages: ReadonlyArray<Message.Message>,
  options: { readonly system?: string | undefined } = {}
): Prompt.Prompt => {
  const prompt: Array<Prompt.Message> = []
  if (options.system !== undefined && options.system !== "") prompt.push(systemMessage(options.system))
  const visible = outermost(messages)
  const ids = new Set(visible.flatMap((message) => (message instanceof ToolResult ? [message.id] : [])))
  const steps = new Map<string, number>()
  for (const message of visible) {
    if (message instanceof ToolCall) {
      if (ids.has(message.id)) addCall(prompt, message, steps)
    } else if (message instanceof ToolResult) addResult(prompt, message)
    else if (message instanceof Reasoning) addAssistant(prompt, reasoningPart(message), "reasoning")
    else if (message instanceof ResponsePart) continue
    else if (message._tag === "Assistant" && String(message) === "") continue
    else if (roleOf(message) === "assistant") addAssistant(prompt, textPart(String(message)), "reasoning")
    else if (roleOf(message) === "system") prompt.push(systemMessage(String(message)))
    else prompt.push(Prompt.makeMessage("user", { content: [textPart(String(message))] }))
  }
  return Prompt.fromMessages(prompt)
}

/**
 * Neighbours of the same role as one message, their texts joined by a delimiter (a blank line unless said).
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
  const start = Prompt.makeMessage("user", { content: [textPart(text)] })
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
 * The rule of Anthropic, as the Python original has it: one system text, then a first message from the user (`/start`
 * where there is none), and no two neighbours of the same role.
 *
 * @since 0.1.0
 * @category rules
 */
export const anthropic: Rule = (prompt) => mergeNeighbours(startWithUser(systemFirst(prompt)))

/**
 * The rule that `LlmAgent` applies to its prompts; none, unless it is set.
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

/** How many characters of text a prompt has. @internal */
export const lengthOf = (prompt: Prompt.Prompt): number =>
  prompt.content.reduce((length, { content }) => {
    if (typeof content === "string") return length + content.length
    return length + content.reduce((sum, part) => sum + lengthOfPart(part), 0)
  }, 0)

const lengthOfPart = (part: Prompt.Part): number => {
  if (part.type === "text" || part.type === "reasoning") return part.text.length
  if (part.type === "tool-call") return JSON.stringify(part.params ?? null).length
  return part.type === "tool-result" ? JSON.stringify(part.result ?? null).length : 0
}

const blankLine = "\n\n"

const textPart = (text: string) => Prompt.makePart("text", { text })

const systemMessage = (content: string) => Prompt.makeMessage("system", { content })

const withOptions = (options: unknown) => {
  const found = optionsOf(options)
  return found === undefined ? {} : { options: found }
}

const reasoningPart = (message: Reasoning) =>
  Prompt.makePart("reasoning", { text: message.content, ...withOptions(message.options) })

/** Adds a part to what the assistant says last if that is of the given kind only, else as a message of its own. */
const addAssistant = (
  prompt: Array<Prompt.Message>,
  part: Prompt.AssistantMessagePart,
  joins: "reasoning" | "anything"
): void => {
  const last = prompt[prompt.length - 1]
  const joined =
    last?.role === "assistant" && (joins === "anything" || last.content.every((part) => part.type === "reasoning"))
  if (joined) prompt[prompt.length - 1] = Prompt.makeMessage("assistant", { content: [...last.content, part] })
  else prompt.push(Prompt.makeMessage("assistant", { content: [part] }))
}

/** Adds a call to the message of its step: calls of one step stand together, before the results of all of them. */
const addCall = (prompt: Array<Prompt.Message>, call: ToolCall, steps: Map<string, number>): void => {
  const part = Prompt.makePart("tool-call", {
    id: call.id,
    name: call.name,
    params: call.parameters,
    providerExecuted: call.providerExecuted ?? false,
    ...withOptions(call.options)
  })
  const step = `${call.agent}\n${call.step}`
  const at = steps.get(step)
  const turn = at === undefined ? undefined : prompt[at]
  if (at !== undefined && turn?.role === "assistant" && at >= prompt.length - 2 && call.step !== undefined) {
    prompt[at] = Prompt.makeMessage("assistant", { content: [...turn.content, part] })
  } else {
    addAssistant(prompt, part, "anything")
    steps.set(step, prompt.length - 1)
  }
}

const addResult = (prompt: Array<Prompt.Message>, message: ToolResult): void => {
  const part = Prompt.makePart("tool-result", {
    id: message.id,
    name: message.name,
    result: message.result,
    isFailure: message.isFailure,
    providerExecuted: message.providerExecuted ?? false,
    ...withOptions(message.options)
  })
  const last = prompt[prompt.length - 1]
  if (message.providerExecuted === true) addAssistant(prompt, part, "anything")
  else if (last?.role !== "tool") prompt.push(Prompt.makeMessage("tool", { content: [part] }))
  else prompt[prompt.length - 1] = Prompt.makeMessage("tool", { content: [...last.content, part] })
}

const merge = (a: Prompt.Message, b: Prompt.Message, delimiter: string): Prompt.Message | undefined => {
  if (a.role === "system" && b.role === "system") return systemMessage(a.content + delimiter + b.content)
  if (a.role === "user" && b.role === "user") {
    return Prompt.makeMessage("user", { content: joinParts(a.content, b.content, delimiter) })
  }
  if (a.role === "assistant" && b.role === "assistant") {
    return Prompt.makeMessage("assistant", { content: joinParts(a.content, b.content, delimiter) })
  }
  if (a.role === "tool" && b.role === "tool") {
    return Prompt.makeMessage("tool", { content: [...a.content, ...b.content] })
  }
  return undefined
}

const joinParts = <Part extends Prompt.Part>(
  a: ReadonlyArray<Part | Prompt.TextPart>,
  b: ReadonlyArray<Part | Prompt.TextPart>,
  delimiter: string
): ReadonlyArray<Part | Prompt.TextPart> => {
  const [last, first] = [a[a.length - 1], b[0]]
  if (last?.type !== "text" || first?.type !== "text") return [...a, ...b]
  return [
    ...a.slice(0, -1),
    textPart((last as Prompt.TextPart).text + delimiter + (first as Prompt.TextPart).text),
    ...b.slice(1)
  ]
}
