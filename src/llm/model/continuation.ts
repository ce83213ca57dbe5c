/** What a model had said when it broke off, for the next one to go on from. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as AiError from "effect/ai/AiError"
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import type { Options, Parts } from "./modelWrapper.ts"

/** A failure after which nobody takes over, past the plan that would. */
class Final {
  readonly error: AiError.AiError
  constructor(error: AiError.AiError) {
    this.error = error
  }
}

type PartOrFinal = Response.AnyPart | Final

export class Carried {
  private text = ""
  private called = false
  /** The id of the text that broke off. */
  private open: string | undefined = undefined
  /** The id under which the model that took over goes on with that text. */
  private renamed: string | undefined = undefined

  attempt(options: Options, ask: (options: Options) => Parts): Stream.Stream<PartOrFinal, AiError.AiError> {
    return Stream.suspend((): Stream.Stream<PartOrFinal, AiError.AiError> => {
      this.renamed = undefined
      const prompt =
        this.text === ""
          ? options.prompt
          : Prompt.concat(Prompt.make(options.prompt), [{ role: "assistant", content: this.text }])
      return ask({ ...options, prompt }).pipe(
        Stream.map((part) => this.take(part)),
        Stream.filter((part) => part !== undefined),
        Stream.catch((error) => (this.called ? Stream.succeed(new Final(error)) : Stream.fail(error)))
      )
    })
  }

  end(parts: Stream.Stream<PartOrFinal, AiError.AiError>): Parts {
    return Stream.mapEffect(parts, (part) => (part instanceof Final ? Effect.fail(part.error) : Effect.succeed(part)))
  }

  /** Notes what is said. The first text after a break goes on as the text that broke off. */
  private take(part: Response.AnyPart): Response.AnyPart | undefined {
    if (part.type === "tool-call") this.called = true
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
