/** What a run on a server waits for, as waits of the run here: who answers this one answers that one. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Runs from "../../runs/Runs.ts"

/** Sends an answer; what is wrong with it, if anything. */
export type Send = (name: string, value: Schema.Json) => Effect.Effect<string | undefined>

export class RemoteWaits {
  private readonly run: Runs.RunContext
  private readonly scope: Scope.Scope
  private readonly send: Send
  /** Those that there are now, by what tells them apart. */
  private open: ReadonlyMap<string, Fiber.Fiber<unknown>> = new Map()

  constructor(run: Runs.RunContext, scope: Scope.Scope, send: Send) {
    this.run = run
    this.scope = scope
    this.send = send
  }

  /** Takes what there is now; the paths are those that the calls have here. */
  take(waits: ReadonlyArray<Runs.Wait>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { open } = this
      const now = new Map<string, Fiber.Fiber<unknown>>()
      for (const wait of waits) {
        const same = `${wait.path} ${wait.name}`
        let key = same
        for (let n = 1; now.has(key); n++) key = `${same} ${n}`
        const known = open.get(key)
        // one that was answered and is still there: the answer did not fit
        const waits = known !== undefined && known.pollUnsafe() === undefined
        now.set(key, waits ? known : yield* Effect.forkIn(this.answer(wait), this.scope, { startImmediately: true }))
      }
      this.open = now
      for (const [key, fiber] of open) if (!now.has(key)) yield* Fiber.interrupt(fiber)
    })
  }

  /** Waits here for an answer, and sends it there. */
  private answer(wait: Runs.Wait): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const value = yield* this.run.wait(wait, () => undefined, Schema.Json)
      const problem = yield* this.send(wait.name, value)
      if (problem !== undefined)
        yield* Effect.logWarning(`The signal \`${wait.name}\` could not be handed on: ${problem}`)
    })
  }
}
