/** Which conversation a request belongs to: `Spans.CurrentConversation`, for those who make the requests. */
import * as Context from "effect/Context"

export const CurrentConversation = Context.Reference<string | undefined>("miniagents/llm/Spans/CurrentConversation", {
  defaultValue: () => undefined
})
