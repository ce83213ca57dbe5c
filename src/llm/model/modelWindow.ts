/** How many tokens a model takes. */
import * as Context from "effect/Context"

export type WindowOf = (model: string | undefined, provider: string | undefined) => number | undefined

/** What is known of models; nothing, unless it is set. */
export const CurrentWindow: Context.Reference<WindowOf> = Context.Reference<WindowOf>(
  "miniagents/llm/Pricing/CurrentWindow",
  { defaultValue: () => () => undefined }
)
