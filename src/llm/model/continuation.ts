/** What a model had said when it broke off, for the next one to go on from. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as AiError from "effect/ai/AiError"
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Lost from "./lost.ts"
import * as ModelWrapper from "./modelWrapper.ts"
import * as PromptLength from "./promptLength.ts"

/** A failure after which nobody takes over, past the plan that would. */
export class Final {
  readonly error: AiError.AiError
  constructor(error: AiError.AiError) {
    this.error = error
  }

  get fail(): Effect.Effect<never, AiError.AiError> {
    return Effect.fail(this.error)
  }
}

type PartOrFinal = Response.AnyPart | Final

/** One request, from the first model that is asked to the one that is done with it. */
export class Continuation {
  private text = ""
  /** Nobody can take over any more. */
  private isFinal = false
  /** The id of the text that broke off. */
  private open: string | undefined = undefined
  /** The id under which the model that took over goes on with that text. */
  private renamed: string | undefined = undefined
  /** How much was said before the model that speaks. */
  private from = 0
  private readonly before = new Lost.Before()
  private readonly options: ModelWrapper.Options
  private readonly goesOn: boolean

  constructor(options: ModelWrapper.Options, goesOn: boolean) {
    this.options = options
    this.goesOn = goesOn
  }

  attempt(ask: (options: ModelWrapper.Options) => ModelWrapper.Parts): Stream.Stream<PartOrFinal, AiError.AiError> {
    const begin = Effect.map(this.before.takeOver, (): Stream.Stream<PartOrFinal, AiError.AiError> => {
      this.renamed = undefined
      this.from = this.text.length
      const prompt =
        this.text === ""
          ? this.options.prompt
          : Prompt.concat(Prompt.make(this.options.prompt), [{ role: "assistant", content: this.text }])
      return ask({ ...this.options, prompt }).pipe(
        Stream.map((part) => this.note(part)),
        Stream.filter((part) => part !== undefined),
        Stream.catch((error) => (this.isFinal ? Stream.succeed(new Final(error)) : this.brokeOff(error)))
      )
    })
    return Stream.unwrap(begin)
  }

  end(parts: Stream.Stream<PartOrFinal, AiError.AiError>): ModelWrapper.Parts {
    return Stream.mapEffect(parts, (part) => (part instanceof Final ? part.fail : Effect.succeed(part)))
  }

  /** What broke off after its first token has cost its prompt and what it said. */
  private brokeOff(error: AiError.AiError): Stream.Stream<never, AiError.AiError> {
    const outputTokens = PromptLength.tokensOf(this.text.length - this.from)
    const inputTokens = outputTokens === 0 ? 0 : PromptLength.estimate(this.options.prompt)
    this.before.failed(error, { inputTokens, outputTokens })
    return Stream.fail(error)
  }

  /** Notes what is said. The first text after a break goes on as the text that broke off. */
  private note(part: Response.AnyPart): Response.AnyPart | undefined {
    if (part.type === "tool-call" || (!this.goesOn && ModelWrapper.isContent(part))) this.isFinal = true
    if (part.type !== "text-start" && part.type !== "text-delta" && part.type !== "text-end") return part
    const goesOn = this.open !== undefined && (this.renamed ?? part.id) === part.id && this.text !== ""
    if (goesOn) this.renamed = part.id
    const id = goesOn ? this.open! : part.id
    if (part.type === "text-delta") this.text += part.delta
    this.open = part.type === "text-end" ? undefined : id
    if (!goesOn) return part
    return part.type === "text-start" ? undefined : { ...part, id }
  }
}
