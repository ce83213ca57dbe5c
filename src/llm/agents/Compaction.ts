/**
 * Keeps prompts within the context window of their model: before a request would be too long, old results of tools are
 * cut, or the middle of the conversation is left out or summarized. The conversation itself keeps everything.
 *
 * **Details**
 *
 * When something was compacted, the replies contain an `LlmMessage.Compacted`, as an aside. It refers by hash to the
 * messages that it replaces, and takes their place in every later prompt of the conversation. Kept with the
 * conversation, it need not be made again, and until the next compaction each prompt begins with the whole prompt
 * before it.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MiniAgents } from "miniagents"
 * import { Compaction, LlmAgent } from "miniagents/llm"
 *
 * const assistant = LlmAgent.make("Assistant")
 * const compaction = Compaction.layer({
 *   window: 200_000,
 *   policies: [Compaction.cutToolResults(), Compaction.summarize({ agent: Compaction.summarizer })]
 * })
 * const program = Effect.flatMap(assistant.trigger("Go on"), (replies) => replies.text).pipe(
 *   Effect.provide([MiniAgents.layer(), compaction])
 * )
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Agent from "../../Agent.ts"
import * as Message from "../../Message.ts"
import * as MiniAgents from "../../MiniAgents.ts"
import * as LlmAgent from "./LlmAgent.ts"
import { Compacted, Reasoning, ToolCall, ToolResult } from "./LlmMessage.ts"
import * as Window from "./window.ts"

/**
 * A message of a prompt, with the message of the conversation that it comes from, whose `hashKey` goes into `replaces`.
 *
 * @since 0.1.0
 * @category models
 */
export type Entry = Window.Entry

/**
 * The input of a policy: the messages of the prompt in their order, and how many tokens to save. That is more than the
 * prompt is too long by, so that the next compaction is not needed soon.
 *
 * @since 0.1.0
 * @category models
 */
export type Room = Window.Room

/**
 * A way to shorten a prompt: gives the message that replaces others, or nothing if it cannot shorten this prompt.
 *
 * @since 0.1.0
 * @category models
 */
export type Policy<R = never> = Window.Policy<R>

/**
 * Options of compaction: the size of the window, and the policies.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> {
  /**
   * How many tokens the model takes in one request, its context window.
   *
   * @default the window that `Pricing.layer` knows for the model; if it knows none, nothing is compacted
   */
  readonly window?: number
  /**
   * How many of these tokens are reserved for the answer.
   *
   * @default 4096
   */
  readonly reserve?: number
  /**
   * To which share of the allowed tokens a prompt is shortened when it is too long. The smaller it is, the less often
   * the provider has to read the whole prompt again.
   *
   * @default 0.5
   */
  readonly target?: number
  /** The policies, tried in this order until the prompt is short enough. */
  readonly policies: ReadonlyArray<Policy<R>>
}

/**
 * The `reason` of the `AiError` that an agent fails with, before it asks the model, if the prompt is still too long
 * after all policies. `tokens` is about how many tokens the prompt has, `allowed` is how many it may have.
 *
 * @since 0.1.0
 * @category errors
 */
export const PromptTooLong: typeof Window.PromptTooLong = Window.PromptTooLong

/**
 * @since 0.1.0
 * @category errors
 */
export type PromptTooLong = Window.PromptTooLong

/**
 * Compacts the conversations of the agents that run with the Layer.
 *
 * **When to use**
 *
 * For conversations that may outgrow the window of their model.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(options: Options<R>): Layer.Layer<never, never, R> => {
  const { policies, reserve = 4096, target = 0.5, window } = options
  return Layer.effect(
    Window.CurrentCompaction,
    Effect.map(Effect.context<R>(), (context) => ({
      window,
      reserve,
      target,
      policies: policies.map(
        (policy): Policy =>
          (room) =>
            // the runtime of the conversation, and all else as it was when the Layer was built
            Effect.flatMap(MiniAgents.MiniAgents, (runtime) =>
              Effect.provideContext(policy(room), Context.add(context, MiniAgents.MiniAgents, runtime))
            )
      )
    }))
  )
}

/**
 * Replaces old results of tools by a note on how long each was, the oldest first, and only as many as necessary.
 *
 * @since 0.1.0
 * @category policies
 */
export const cutToolResults =
  (
    options: {
      /**
       * How many of the last results stay as they are.
       *
       * @default 3
       */
      readonly keepLast?: number
    } = {}
  ): Policy =>
  ({ agent, entries, excess, measure }) => {
    const { keepLast = 3 } = options
    const results = entries.filter(
      ({ message, original }) =>
        message === original && message instanceof ToolResult && message.providerExecuted !== true
    )
    const old = results.slice(0, Math.max(0, results.length - keepLast))
    const replaces: Array<string> = []
    let room = 0
    for (const { message, original } of old) {
      if (room >= excess) break
      const gained = measure([message]) - stubTokens
      if (gained <= 0) continue
      room += gained
      replaces.push(original.hashKey)
    }
    if (replaces.length === 0) return Effect.succeedNone
    return Effect.succeedSome(new Compacted({ kind: "results", content: "", replaces, agent }))
  }

/**
 * Which messages stay, whatever happens: at the start of a conversation, and at its end. What a model said in one
 * response, with its calls and their results, stays together.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ends {
  /** @default 1 */
  readonly keepFirst?: number
  /** @default 6 */
  readonly keepLast?: number
}

/**
 * Leaves out what is in the middle, the oldest first, and as much as has to go.
 *
 * @since 0.1.0
 * @category policies
 */
export const keepEnds =
  (ends: Ends = {}): Policy =>
  (room) =>
    Effect.succeed(Option.map(middleOf(room, ends), (middle) => compacted(room, middle, "")))

/**
 * Has an agent summarize what is in the middle. The agent is sent what was said as one text, in several pieces if it is
 * long, each with the summary so far, and its reply is the summary. One that fails is a warning in the log, and the next
 * policy is tried.
 *
 * @see {@link summarizer} for an agent that can do it
 * @since 0.1.0
 * @category policies
 */
export const summarize =
  <E, R>(
    options: Ends & {
      readonly agent: Agent.Agent<{}, E, R>
      /**
       * How many tokens the agent is sent at once.
       *
       * @default 50000
       */
      readonly pieces?: number
    }
  ): Policy<R> =>
  (room) =>
    Option.match(middleOf(room, options), {
      onNone: () => Effect.succeedNone,
      onSome: (middle) =>
        Effect.gen(function* () {
          let summary = ""
          for (const piece of piecesOf(middle, options.pieces ?? 50_000, room)) {
            const before = summary === "" ? "" : `<summary>\n${summary}\n</summary>\n\n`
            const replies = yield* options.agent.trigger(Message.user(`${before}<said>\n${piece}\n</said>`))
            summary = (yield* replies.text).trim()
          }
          return Option.some(compacted(room, middle, summary))
        }).pipe(
          Effect.provideService(Window.CurrentCompaction, undefined),
          Effect.catchCause((cause) =>
            Effect.as(Effect.logWarning("a conversation could not be summarized", cause), Option.none())
          )
        )
    })

/**
 * An agent that summarizes, with the model that is provided.
 *
 * @since 0.1.0
 * @category constructors
 */
export const summarizer: Agent.Agent<
  LlmAgent.Parameters,
  LlmAgent.Errors<{}>,
  LanguageModel.LanguageModel
> = LlmAgent.make("Summarizer", {
  description: "Summarizes a part of a conversation",
  system:
    "You are given a part of a conversation between `<said>` and `</said>`, and a summary of what was before it, if " +
    "there was anything. Reply with one summary of both, for a model that has to go on with the conversation: what was " +
    "wanted, what was decided and done, what was found out, with names, numbers and addresses as they are, and what is " +
    "still to be done. Reply with the summary alone."
})

/**
 * The messages of a conversation that one of its messages replaces in prompts, in their order, as they were.
 *
 * @since 0.1.0
 * @category getters
 */
export const originals = (
  compacted: Compacted,
  conversation: ReadonlyArray<Message.Message>
): ReadonlyArray<Message.Message> => {
  const found = new Map(conversation.map((message) => [message.hashKey, message]))
  const originalsOf = ({ replaces }: Compacted): ReadonlyArray<Message.Message> =>
    replaces.flatMap((hash) => {
      const message = found.get(hash)
      if (message === undefined) return []
      return message instanceof Compacted ? originalsOf(message) : [message]
    })
  return originalsOf(compacted)
}

/**
 * A conversation as it was before anything was compacted, so that prompts have all of it again.
 *
 * @since 0.1.0
 * @category combinators
 */
export const expand = (conversation: ReadonlyArray<Message.Message>): ReadonlyArray<Message.Message> =>
  conversation.filter((message) => !(message instanceof Compacted))

const stubTokens = 40

const compacted = ({ agent }: Room, middle: ReadonlyArray<Entry>, content: string): Compacted =>
  new Compacted({ kind: "messages", content, replaces: middle.map(({ original }) => original.hashKey), agent })

/** What of the middle has to go. */
const middleOf = (room: Room, { keepFirst = 1, keepLast = 6 }: Ends): Option.Option<ReadonlyArray<Entry>> => {
  const units = unitsOf(room.entries)
  const starts = units.reduce<Array<number>>((starts, unit) => [...starts, (starts.at(-1) ?? 0) + unit.length], [0])
  const from = starts.findIndex((start) => start >= keepFirst)
  const to = starts.findLastIndex((start) => start <= room.entries.length - keepLast)
  const middle: Array<Entry> = []
  let tokens = 0
  for (const unit of units.slice(Math.max(0, from), Math.max(0, to))) {
    if (tokens >= room.excess) break
    tokens += room.measure(unit.map(({ message }) => message))
    middle.push(...unit)
  }
  return middle.length < 2 ? Option.none() : Option.some(middle)
}

/** What was said in one response stands together. */
const unitsOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<ReadonlyArray<Entry>> => {
  const units: Array<Array<Entry>> = []
  let before: string | undefined
  for (const entry of entries) {
    const said = responseOf(entry.message)
    if (said !== undefined && said === before) units.at(-1)?.push(entry)
    else units.push([entry])
    before = said
  }
  return units
}

const responseOf = (message: Message.Message): string | undefined => {
  const isSaid = message instanceof Message.Assistant || message instanceof Reasoning
  if (!isSaid && !(message instanceof ToolCall || message instanceof ToolResult)) return undefined
  return `${message.agent}\n${message.step}`
}

/** What was said as texts, of some length each. */
const piecesOf = (entries: ReadonlyArray<Entry>, tokens: number, { measure }: Room): ReadonlyArray<string> => {
  const pieces: Array<Array<string>> = [[]]
  let length = 0
  for (const { message } of entries) {
    const more = measure([message])
    if (length > 0 && length + more > tokens) {
      pieces.push([])
      length = 0
    }
    length += more
    pieces.at(-1)?.push(`${message._tag}: ${message}`)
  }
  return pieces.map((piece) => piece.join("\n\n"))
}
