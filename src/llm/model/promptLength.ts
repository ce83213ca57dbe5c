/** About how long a prompt is, where nobody has counted its tokens yet. */
import * as Prompt from "effect/ai/Prompt"

/** About how many tokens a text has: a token is about four characters. */
export const tokensOf = (characters: number): number => Math.ceil(characters / 4)

/** About how many tokens a prompt has. */
export const estimate = (prompt: Prompt.RawInput): number =>
  tokensOf(
    Prompt.make(prompt).content.reduce((length, { content }) => {
      if (typeof content === "string") return length + content.length
      return length + content.reduce((sum, part) => sum + lengthOf(part), 0)
    }, 0)
  )

const lengthOf = (part: Prompt.Part): number => {
  if (part.type === "text" || part.type === "reasoning") return part.text.length
  if (part.type === "tool-call") return JSON.stringify(part.params ?? null).length
  return part.type === "tool-result" ? JSON.stringify(part.result ?? null).length : 0
}
