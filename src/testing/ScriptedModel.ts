/**
 * A language model that says what a test wrote down: turns of text, reasoning and tool calls, with pauses by the Clock,
 * failures before or in the middle of an answer, silence, and malformed output. It records what it was asked. The test
 * fails with a sentence if the model was asked more often than the script has turns, or less often.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Growth from "../llm/provider/growth.ts"
import * as ModelSettings from "../llm/provider/ModelSettings.ts"
import * as Parts from "./script.ts"

/**
 * One thing a scripted model does in a turn. Make steps with `text`, `tokens`, `reasoning`, `toolCall`, `usage`,
 * `finish`, `cutOff`, `pause`, `hang`, `fail` and `malformed`.
 *
 * @since 0.1.0
 * @category models
 */
export type Step = Parts.Step

/**
 * The answer of a scripted model to one request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turn {
  readonly steps: ReadonlyArray<Step>
  /** Which requests this turn answers; by default all. */
  readonly when: (request: Request) => boolean
  /** Whether the turn answers any number of such requests, including none, instead of exactly one. */
  readonly always: boolean
}

/**
 * A request to the model, as the model got it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly prompt: Prompt.Prompt
  /** The text of the prompt's messages, one `role: text` each. */
  readonly text: string
  /** The names of the tools the model could call. */
  readonly tools: ReadonlyArray<string>
  readonly toolChoice: LanguageModel.ToolChoice<string>
  readonly responseFormat: "text" | "json"
  /** The settings of the request beside its prompt: temperature, stop texts and the like. */
  readonly settings: ModelSettings.Settings
}

/**
 * A request for which the script has no turn. The request dies with it, so that nothing retries or falls back.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedRequest extends Schema.TaggedError<UnexpectedRequest>()("UnexpectedRequest", {
  model: Schema.String,
  /** The number of the request, from 1. */
  request: Schema.Int,
  turns: Schema.Int,
  prompt: Schema.String
}) {
  override get message(): string {
    return `\`${this.model}\` has no turn for request ${this.request} (its script has ${this.turns}): ${this.prompt}`
  }
}

/**
 * The script still had turns when its Layer was closed.
 *
 * @since 0.1.0
 * @category errors
 */
export class ScriptNotUsedUp extends Schema.TaggedError<ScriptNotUsedUp>()("ScriptNotUsedUp", {
  model: Schema.String,
  requests: Schema.Int,
  /** The numbers of the turns nobody asked for, from 1. */
  left: Schema.Array(Schema.Int)
}) {
  override get message(): string {
    const requests = `${this.requests} ${this.requests === 1 ? "request" : "requests"}`
    const turns = `${this.left.length === 1 ? "turn" : "turns"} ${this.left.join(", ")} of its script`
    return `\`${this.model}\` got ${requests}, and nothing asked for ${turns}`
  }
}

/**
 * The questions that a test can ask a scripted model: which requests it got, and whether the script was used up.
 *
 * @since 0.1.0
 * @category models
 */
export interface Script {
  readonly model: LanguageModel.LanguageModel
  /** The requests so far, in the order they came. */
  readonly requests: Effect.Effect<ReadonlyArray<Request>>
  /** Fails when a turn was not used. The Layer does this by itself when it is closed after success. */
  readonly verify: Effect.Effect<void, ScriptNotUsedUp>
}

/**
 * The script that stands behind the language model, for a test that looks at its requests.
 *
 * @since 0.1.0
 * @category services
 */
export class ScriptedModel extends Context.Service<ScriptedModel, Script>()("miniagents/testing/ScriptedModel") {}

/**
 * Options of a scripted model, besides its turns.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The name of the model, for agents that say which model spoke.
   *
   * @default "scripted"
   */
  readonly name?: string
}

/**
 * Makes a scripted model by hand. Each request takes the first turn that is left and answers it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (turns: ReadonlyArray<Turn>, options: Options = {}): Effect.Effect<Script> => {
  const { name = "scripted" } = options
  const left = new Map(turns.map((turn, i) => [i + 1, turn])) // by number: one and the same turn can stand there twice
  const requests: Array<Request> = []
  const take = (provider: LanguageModel.ProviderOptions, settings: ModelSettings.Settings) => {
    const request = { ...requestOf(provider), settings }
    requests.push(request)
    const [number, turn] = [...left].find(([, turn]) => turn.when(request)) ?? []
    if (number !== undefined && turn?.always === false) left.delete(number)
    if (turn !== undefined) return Parts.stream(turn.steps, { id: `${name}-${requests.length}`, model: name })
    const prompt = request.text.length > 200 ? `…${request.text.slice(-200)}` : request.text
    return Stream.die(new UnexpectedRequest({ model: name, request: requests.length, turns: turns.length, prompt }))
  }
  const verify = Effect.suspend(() => {
    const numbers = [...left].flatMap(([number, turn]) => (turn.always ? [] : [number]))
    if (numbers.length === 0) return Effect.void
    return Effect.fail(new ScriptNotUsedUp({ model: name, requests: requests.length, left: numbers }))
  })
  const streamText = (provider: LanguageModel.ProviderOptions) =>
    Stream.unwrap(Effect.map(ModelSettings.CurrentSettings, (settings) => take(provider, settings)))
  return Effect.map(
    LanguageModel.make({ streamText, generateText: (provider) => Parts.collect(Growth.shown(streamText(provider))) }),
    (model) => ({ model, verify, requests: Effect.sync(() => [...requests]) })
  )
}

/**
 * A scripted model as a Layer, to be provided instead of a real one. If the Layer is closed after success and a turn
 * was not used, that is a defect (`ScriptNotUsedUp`).
 *
 * **When to use**
 *
 * To test agents on models without a model: you write down what it says. To replay what a real model said, use a
 * `Cassette`.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { LanguageModel } from "effect/ai"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const program = Effect.gen(function*() {
 *   const { text } = yield* LanguageModel.generateText({ prompt: "Who are you?" })
 *   const script = yield* ScriptedModel.ScriptedModel
 *   return [text, (yield* script.requests)[0]?.text] // ["A model", "user: Who are you?"]
 * }).pipe(
 *   Effect.provide(ScriptedModel.layer([ScriptedModel.turn(ScriptedModel.text("A model"))]))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  turns: ReadonlyArray<Turn>,
  options: Options = {}
): Layer.Layer<LanguageModel.LanguageModel | ScriptedModel | Model.ModelName | Model.ProviderName> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const script = yield* make(turns, options)
      const scope = yield* Scope.Scope
      yield* Scope.addFinalizerExit(scope, (exit) => (Exit.isSuccess(exit) ? Effect.orDie(script.verify) : Effect.void))
      return Context.make(ScriptedModel, script).pipe(
        Context.add(LanguageModel.LanguageModel, script.model),
        Context.add(Model.ModelName, options.name ?? "scripted"),
        Context.add(Model.ProviderName, "scripted")
      )
    })
  )

/**
 * Makes a turn that answers the next request.
 *
 * @since 0.1.0
 * @category turns
 */
export const turn = (...steps: ReadonlyArray<Step>): Turn => ({ steps, when: () => true, always: false })

/**
 * Makes a turn answer only requests for which the predicate is true, so that agents that run at the same time can share
 * a script.
 *
 * @since 0.1.0
 * @category turns
 */
export const when = (turn: Turn, predicate: (request: Request) => boolean): Turn => ({ ...turn, when: predicate })

/**
 * Makes a turn answer any number of requests.
 *
 * @since 0.1.0
 * @category turns
 */
export const always = (turn: Turn): Turn => ({ ...turn, always: true })

/**
 * Says a whole text as one token.
 *
 * @since 0.1.0
 * @category steps
 */
export const text = (content: string): Step => ({ _tag: "Text", tokens: [content], pause: undefined })

/**
 * Says a text token by token, with a pause before each, if one is given.
 *
 * @since 0.1.0
 * @category steps
 */
export const tokens = (tokens: ReadonlyArray<string>, pause?: Duration.Input): Step => ({ _tag: "Text", tokens, pause })

/**
 * Says reasoning, token by token.
 *
 * @since 0.1.0
 * @category steps
 */
export const reasoning = (...tokens: ReadonlyArray<string>): Step => ({ _tag: "Reasoning", tokens })

/**
 * Calls a tool. Without an `id` the call gets the one of its place in the turn: `call-1`, `call-2`.
 *
 * @since 0.1.0
 * @category steps
 */
export const toolCall = (name: string, params: Schema.Json, id?: string): Step => ({
  _tag: "ToolCall",
  name,
  params,
  id
})

/**
 * Reports how many tokens the turn took, at its end.
 *
 * @since 0.1.0
 * @category steps
 */
export const usage = (inputTokens: number, outputTokens: number): Step => ({ _tag: "Usage", inputTokens, outputTokens })

/**
 * Sets why the turn ends. Without it that is `tool-calls` after a tool call, and otherwise `stop`.
 *
 * @since 0.1.0
 * @category steps
 */
export const finish = (reason: Response.FinishReason): Step => ({ _tag: "Finish", reason })

/**
 * Ends the stream without an end marker, as a lost connection does.
 *
 * @since 0.1.0
 * @category steps
 */
export const cutOff: Step = { _tag: "CutOff" }

/**
 * Waits for a duration, by the `Clock`.
 *
 * @since 0.1.0
 * @category steps
 */
export const pause = (duration: Duration.Input): Step => ({ _tag: "Pause", duration })

/**
 * Says nothing more, and never ends.
 *
 * @since 0.1.0
 * @category steps
 */
export const hang: Step = { _tag: "Hang" }

/**
 * Fails with an `AiError` of this reason, after the steps before it.
 *
 * @since 0.1.0
 * @category steps
 */
export const fail = (reason: AiError.AiErrorReason): Step => ({
  _tag: "Fail",
  error: AiError.make({ module: "ScriptedModel", method: "streamText", reason })
})

/**
 * Gives a file, such as an image that the model drew, by its media type and its content in base64.
 *
 * @since 0.1.0
 * @category steps
 */
export const file = (mediaType: string, data: string): Step => ({ _tag: "File", mediaType, data })

/**
 * Emits something that is not a valid part of a response.
 *
 * @since 0.1.0
 * @category steps
 */
export const malformed = (part: Schema.Json): Step => ({ _tag: "Malformed", part })

const requestOf = ({ prompt, responseFormat, toolChoice, tools }: LanguageModel.ProviderOptions) => ({
  prompt,
  text: prompt.content.map((message) => `${message.role}: ${textOf(message)}`).join("\n"),
  tools: tools.map((tool) => tool.name),
  toolChoice,
  responseFormat: responseFormat.type
})

const textOf = ({ content }: Prompt.Message): string =>
  typeof content === "string"
    ? content
    : content.map((part) => (part.type === "text" || part.type === "reasoning" ? part.text : partText(part))).join(" ")

const partText = (part: Prompt.Part): string => {
  if (part.type === "tool-call") return `${part.name}(${JSON.stringify(part.params)})`
  return part.type === "tool-result" ? `${part.name}=${JSON.stringify(part.result)}` : `[${part.type}]`
}
