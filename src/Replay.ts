/**
 * A stream that runs once and can be read any number of times: what every sequence and every message under way is,
 * for elements of any type.
 *
 * @since 0.1.0
 */
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Log } from "./internal/log.ts"
import { replay } from "./internal/streamable.ts"
import { Supervisor, Task } from "./internal/task.ts"

/**
 * Runs a stream once in the current scope. The Stream it gives replays the elements and the end (success, typed
 * failure, defect, interruption) to every reader, whenever it starts to read, also after the scope has closed.
 *
 * **When to use**
 *
 * To read a stream of your own more than once, although it runs once. Messages and sequences do this already.
 *
 * **Details**
 *
 * The source runs in the background at once, or from the first read on when it is `lazy`. Closing the scope interrupts
 * a source that still runs. Readers share one buffer, which lives as long as the Stream does.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Replay } from "miniagents"
 *
 * const program = Effect.gen(function*() {
 *   const numbers = yield* Replay.make(Stream.make(1, 2, 3))
 *   const first = yield* Stream.runCollect(numbers)
 *   const again = yield* Stream.runCollect(numbers) // the same, and the source has run once
 *   return [first, again]
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E, R>(
  stream: Stream.Stream<A, E, R>,
  options: { readonly lazy?: boolean } = {}
): Effect.Effect<Stream.Stream<A, E>, never, R | Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const log = new Log<A>()
    const supervisor = new Supervisor()
    const effect = Channel.runForEach(stream.channel, (chunk) => Effect.sync(() => log.appendAll(chunk)))
    const work = { effect, context: fiber.context }
    const task = new Task(supervisor, supervisor.root, work, (exit) => log.end(exit))
    if (options.lazy === true) log.start = () => task.startUnsafe()
    else task.startSoon(fiber)
    const close = Effect.suspend(() => {
      supervisor.closed = true
      task.interruptTree()
      return supervisor.running.none
    })
    return Effect.as(
      Effect.addFinalizer(() => close),
      Stream.fromChannel(replay<A, E>(log))
    )
  })
