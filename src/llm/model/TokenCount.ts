/**
 * How many tokens a prompt has: as a tokenizer counts them where the model has one (`Tokenizer` of `effect/ai`), and by
 * an estimate that is rather too high otherwise.
 *
 * **Example** (The tokenizer of OpenAI's models)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TokenCount } from "miniagents/llm"
 *
 * const counted = Effect.provide(TokenCount.count("How long is a river?"), TokenCount.layerOpenAi)
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Prompt from "effect/ai/Prompt"
import * as Tokenizer from "effect/ai/Tokenizer"
import { missing } from "../../internal/optional.ts"

/**
 * The tokens of a prompt, by the `Tokenizer` that is provided; an estimate, if there is none.
 *
 * @since 0.1.0
 * @category getters
 */
export const count = (prompt: Prompt.RawInput): Effect.Effect<number> =>
  Effect.flatMap(Effect.serviceOption(Tokenizer.Tokenizer), (tokenizer) => {
    const made = Prompt.make(prompt)
    if (Option.isNone(tokenizer)) return Effect.succeed(estimate(made))
    // what has no text is estimated, and so is what a tokenizer cannot count
    const counted = Effect.map(tokenizer.value.tokenize(made), ({ length }) => length + withoutText(made))
    return Effect.orElseSucceed(counted, () => estimate(made))
  })

/**
 * About how many tokens a prompt has, rather too many than too few: the texts by `estimateText`, an image as the largest
 * that models see, and a few for each message.
 *
 * @since 0.1.0
 * @category getters
 */
export const estimate = (prompt: Prompt.RawInput): number => {
  const made = Prompt.make(prompt)
  return textsOf(made).reduce((sum, text) => sum + estimateText(text), withoutText(made))
}

/**
 * About how many tokens a text has. It is above what the tokenizers of OpenAI count for prose in any language, code, JSON
 * and the like, by a third for English; for letters at random it is too low.
 *
 * @since 0.1.0
 * @category getters
 */
export const estimateText = (text: string): number => {
  let sum = 0
  let run = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const isSmall = code >= 97 && code <= 122
    const isLarge = code >= 65 && code <= 90
    const isDigit = code >= 48 && code <= 57
    run = isSmall || isLarge || isDigit ? run + 1 : 0
    if (code >= 0x80) sum += code < 0x2e80 ? 1 : 1.5
    else if (isDigit) sum += 0.9
    else if (isSmall || isLarge) sum += run > 20 ? 0.9 : isSmall ? 0.3 : 0.45 // long words are names in code, or data
    else sum += code === 32 ? 0.25 : 0.9
  }
  return Math.ceil(sum)
}

/**
 * The tokenizer of OpenAI's models from GPT-4o on (`o200k_base`). Dies if the package `gpt-tokenizer` is not installed.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOpenAi: Layer.Layer<Tokenizer.Tokenizer> = Layer.effect(
  Tokenizer.Tokenizer,
  Effect.map(
    Effect.tryPromise(() => import("gpt-tokenizer/encoding/o200k_base").catch(missing)).pipe(
      Effect.catch(({ cause }) => Effect.die(notInstalled(cause)))
    ),
    ({ encode }) =>
      Tokenizer.make({
        tokenize: (prompt) => Effect.sync(() => textsOf(prompt).flatMap((text) => encode(text, plain)))
      })
  )
)

/** What looks like a special token in a text is text. */
const plain = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() }

const notInstalled = (cause: unknown) =>
  new Error("the package `gpt-tokenizer` could not be loaded; is it installed? Run `npm install gpt-tokenizer`", {
    cause
  })

const perMessage = 4

const perImage = 1600

const textsOf = (prompt: Prompt.Prompt): ReadonlyArray<string> =>
  prompt.content.flatMap(({ content }) => (typeof content === "string" ? [content] : content.flatMap(textsOfPart)))

const textsOfPart = (part: Prompt.Part): ReadonlyArray<string> => {
  if (part.type === "text" || part.type === "reasoning") return [part.text]
  if (part.type === "tool-call") return [part.name, JSON.stringify(part.params ?? null)]
  if (part.type !== "tool-result") return []
  const shown = part.modelOutput === undefined ? (part.result ?? null) : Prompt.toolModelOutputToText(part.modelOutput)
  return [typeof shown === "string" ? shown : JSON.stringify(shown)]
}

/** The tokens of all that is no text. */
const withoutText = (prompt: Prompt.Prompt): number =>
  prompt.content.reduce((sum, { content }) => {
    const parts: ReadonlyArray<Prompt.Part> = typeof content === "string" ? [] : content
    return sum + perMessage + parts.reduce((sum, part) => sum + tokensOfFile(part), 0)
  }, 0)

const tokensOfFile = (part: Prompt.Part): number => {
  if (part.type === "tool-result") return (part.modelOutput ?? []).reduce((sum, part) => sum + tokensOfFile(part), 0)
  if (part.type !== "file") return 0
  if (part.mediaType.startsWith("image/") || !(part.data instanceof Uint8Array)) return perImage
  return Math.max(perImage, part.data.length / 3)
}
