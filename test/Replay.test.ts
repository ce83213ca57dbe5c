import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Replay } from "miniagents"
import * as CleanRuntime from "./CleanRuntime.ts"

class Base extends Context.Service<Base, { readonly from: number }>()("miniagents/test/Base") {}

describe("Replay", () => {
  it.effect("runs the stream once, and gives every reader all of it", () =>
    Effect.gen(function* () {
      let runs = 0
      const source = Stream.suspend(() => {
        runs++
        return Stream.fromIterable([1, 2, 3, 4, 5]).pipe(
          Stream.rechunk(2),
          Stream.tap(() => Effect.yieldNow)
        )
      })
      const replay = yield* Replay.make(source)
      const readers = yield* Effect.all(
        Array.from({ length: 10 }, () => Stream.runCollect(replay)),
        { concurrency: "unbounded" }
      )
      for (const seen of [...readers, yield* Stream.runCollect(replay)]) assert.deepStrictEqual(seen, [1, 2, 3, 4, 5])
      assert.strictEqual(runs, 1)
    })
  )

  it.effect("runs at once, or from the first read on when it is lazy", () =>
    Effect.gen(function* () {
      const ran: Array<string> = []
      const source = (name: string) => Stream.fromEffect(Effect.sync(() => ran.push(name)))
      yield* Effect.asVoid(Replay.make(source("eager")))
      const lazy = yield* Replay.make(source("lazy"), { lazy: true })
      yield* CleanRuntime.turns(5)
      assert.deepStrictEqual(ran, ["eager"])
      assert.deepStrictEqual(yield* Stream.runCollect(lazy), [2])
      assert.deepStrictEqual(yield* Stream.runCollect(lazy), [2])
      assert.deepStrictEqual(ran, ["eager", "lazy"])
    })
  )

  it.effect("gives an element while the rest is still to come", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const replay = yield* Replay.make(Stream.concat(Stream.make(1), Stream.fromEffect(Deferred.await(gate))))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(replay, 1)), [1])
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* Stream.runCollect(replay)).length, 2)
    })
  )

  it.effect("replays a failure and a defect at their place, after the scope has closed too", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const make = <E>(end: Stream.Stream<never, E>) =>
        Replay.make(Stream.concat(Stream.make(1, 2), end)).pipe(Effect.provideService(Scope.Scope, scope))
      const failed = yield* make(Stream.fail("no"))
      const died = yield* make(Stream.die("bug"))
      const well = yield* make(Stream.empty)
      yield* CleanRuntime.turns()
      yield* Scope.close(scope, Exit.void)
      for (let reader = 0; reader < 2; reader++) {
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(failed, 2)), [1, 2])
        assert.deepStrictEqual(yield* Effect.exit(Stream.runCollect(failed)), Exit.fail("no"))
        assert.isTrue(Exit.hasDies(yield* Effect.exit(Stream.runCollect(died))))
        assert.deepStrictEqual(yield* Stream.runCollect(well), [1, 2])
      }
    })
  )

  it.effect("is interrupted when its scope closes, which waits for it; no reader hangs", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const events: Array<string> = []
      const source = Stream.concat(
        Stream.make(1),
        Stream.onExit(Stream.never, () =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => void events.push("ended"))
          )
        )
      )
      const replay = yield* Replay.make(source).pipe(Effect.provideService(Scope.Scope, scope))
      const lazy = yield* Replay.make(source, { lazy: true }).pipe(Effect.provideService(Scope.Scope, scope))
      const reader = yield* Effect.forkChild(Effect.exit(Stream.runCollect(replay)))
      yield* CleanRuntime.turns(20)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(events, ["ended"])
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.join(reader)))
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(replay, 1)), [1])
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(Stream.runCollect(lazy))))
    })
  )

  it.effect("takes the services of the stream from where it is made", () =>
    Effect.gen(function* () {
      const source = Stream.fromEffect(Effect.map(Base, ({ from }) => from))
      const replay = yield* Replay.make(source).pipe(Effect.provideService(Base, { from: 7 }))
      assert.deepStrictEqual(yield* Stream.runCollect(replay), [7])
    })
  )

  it.effect("holds elements of any kind, `undefined` and sequences of them too", () =>
    Effect.gen(function* () {
      const elements = [undefined, null, 0, "", [], Stream.empty]
      const replay = yield* Replay.make(Stream.fromIterable(elements))
      assert.deepStrictEqual(yield* Stream.runCollect(replay), elements)
    })
  )
})
