/** The clock of what only watches: its timers keep no program alive. */
import { clearTimeout, setTimeout } from "node:timers"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/* A timer of Effect keeps the process alive until it has come. */
export const make = (): Clock.Clock => {
  const clock = Effect.runSync(Clock.Clock)
  return Object.assign(Object.create(clock) as Clock.Clock, {
    sleep: (duration: Duration.Duration) =>
      Effect.callback<void>((resume) => {
        const timer = setTimeout(() => resume(Effect.void), Duration.toMillis(duration))
        timer.unref()
        return Effect.sync(() => clearTimeout(timer))
      })
  })
}
