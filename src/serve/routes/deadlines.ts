/** What is done when a time has passed that is the same for all: one fiber, and one timer, for however many wait. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"

/** Deadlines that are kept as long as a scope is open. */
export const make = <A>(
  after: Duration.Duration,
  act: (item: A) => Effect.Effect<void>
): Effect.Effect<Deadlines<A>, never, Scope.Scope> =>
  Effect.map(Effect.context<Scope.Scope>(), (context) => new Deadlines(after, act, context))

export class Deadlines<A> {
  private readonly after: number
  private readonly act: (item: A) => Effect.Effect<void>
  private readonly context: Context.Context<Scope.Scope>
  private readonly clock: Clock.Clock
  /** When each of them is due, the first one first. */
  private readonly due = new Map<A, number>()
  private watching = false

  constructor(after: Duration.Duration, act: (item: A) => Effect.Effect<void>, context: Context.Context<Scope.Scope>) {
    this.after = Duration.toMillis(after)
    this.act = act
    this.context = context
    this.clock = Context.get(context, Clock.Clock)
  }

  /** Begins to wait for something, from now or from another time on; it waits for each thing once. */
  addUnsafe(item: A, from = this.clock.currentTimeMillisUnsafe()): void {
    if (this.due.has(item)) return
    this.due.set(item, from + this.after)
    if (this.watching) return
    this.watching = true
    Effect.runForkWith(this.context)(Effect.forkIn(this.watch, Context.get(this.context, Scope.Scope)))
  }

  removeUnsafe(item: A): void {
    this.due.delete(item)
  }

  private get first(): readonly [A, number] | undefined {
    return this.due.entries().next().value
  }

  private readonly watch = Effect.gen({ self: this }, function* () {
    for (let next = this.first; next !== undefined; next = this.first) {
      const [item, at] = next
      const left = at - this.clock.currentTimeMillisUnsafe()
      if (left > 0) yield* Effect.sleep(left)
      else {
        this.due.delete(item)
        yield* this.act(item)
      }
    }
    this.watching = false
  })
}
