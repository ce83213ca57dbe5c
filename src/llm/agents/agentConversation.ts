/** The conversation that an agent asks its model about. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as AiError from "effect/ai/AiError"
import * as Model from "effect/ai/Model"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import type { InteractionContext } from "../../InteractionContext.ts"
import type * as Message from "../../Message.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import { ToolCall } from "./LlmMessage.ts"
import * as LlmPrompt from "./LlmPrompt.ts"
import type * as ToolCalls from "./toolCalls.ts"
import * as Window from "./window.ts"

/** What an agent was sent, and what it has said and done since: the prompt of each request is made of it. */
export class Conversation {
  readonly said: Array<Message.Message> = []
  /** The ids of the calls so far. */
  readonly ids: Set<string>
  /** How long it was when the provider last said so. */
  known: Window.Known | undefined = undefined
  private readonly sent: ReadonlyArray<Message.Message>
  private readonly system: string | undefined
  private readonly rule: LlmPrompt.Rule

  constructor(sent: ReadonlyArray<Message.Message>, system: string | undefined, rule: LlmPrompt.Rule) {
    this.sent = sent
    this.system = system
    this.rule = rule
    this.ids = new Set(sent.flatMap((message) => (message instanceof ToolCall ? [message.id] : [])))
  }

  get messages(): ReadonlyArray<Message.Message> {
    return [...this.sent, ...this.said]
  }

  get prompt(): Prompt.Prompt {
    return this.promptOf(this.messages)
  }

  readonly promptOf = (messages: ReadonlyArray<Message.Message>): Prompt.Prompt =>
    this.rule(LlmPrompt.fromMessages(messages, { system: this.system }))

  /** Adds what was said, after which the conversation had so many tokens. */
  add(messages: ReadonlyArray<Message.Message>, usage: Response.Usage | undefined): void {
    this.said.push(...messages)
    const [input, output] = [usage?.inputTokens.total, usage?.outputTokens.total]
    if (input === undefined || output === undefined) return
    this.known = { tokens: input + output, messages: this.sent.length + this.said.length }
  }
}

/** Makes room in a conversation whose prompt would be too long, if that is wanted. */
export const makeRoom = (
  ctx: InteractionContext,
  talk: Conversation,
  toolkit: ToolCalls.Toolkit | undefined
): Effect.Effect<void, AiError.AiError, MiniAgents.MiniAgents> =>
  Effect.gen(function* () {
    const compaction = yield* Window.CurrentCompaction
    if (compaction === undefined) return
    const model = Option.getOrUndefined(yield* Effect.serviceOption(Model.ModelName))
    const provider = Option.getOrUndefined(yield* Effect.serviceOption(Model.ProviderName))
    const { messages, promptOf } = talk
    const known = talk.known ?? Window.knownOf(messages, ctx.agent.name)
    const tools = Window.tokensOfTools(Object.values(toolkit?.tools ?? {}))
    const sending = { agent: ctx.agent.name, model, provider, tools, messages, known, promptOf }
    for (const compacted of yield* Window.fit(sending, compaction)) {
      talk.known = undefined
      talk.said.push(compacted)
      yield* ctx.reply(compacted)
    }
  })

/** The conversation of what an agent was sent. */
export const make = (
  ctx: InteractionContext<{ readonly system?: string }>,
  system: string | undefined
): Effect.Effect<Conversation, unknown> =>
  Effect.gen(function* () {
    const messages = yield* ctx.messages.messages
    return new Conversation(messages, ctx.parameters.system ?? system, yield* LlmPrompt.CurrentRule)
  })

/** The prompt of what an agent was sent, made to fit if that is wanted. */
export const promptOf = (ctx: InteractionContext<{ readonly system?: string }>, system: string | undefined) =>
  Effect.gen(function* () {
    const talk = yield* make(ctx, system)
    yield* makeRoom(ctx, talk, undefined)
    return talk.prompt
  })
