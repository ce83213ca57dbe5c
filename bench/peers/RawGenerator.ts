/** No library: the model's async generator read with `for await`. */
import type { Adapter } from "../Case.ts"

export const agent: Adapter = (source) => async (see) => {
  for await (const token of source()) see(token)
}
