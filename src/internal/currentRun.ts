/** The run that the current code belongs to, for those below the module that has runs. */
import * as Context from "effect/Context"

export const CurrentRun = Context.Reference<{ readonly id: string } | undefined>("miniagents/runs/CurrentRun", {
  defaultValue: () => undefined
})
