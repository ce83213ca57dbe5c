/** What all turns do, whatever keeps them apart. */

import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, FileSystem, Latch, type Layer, Schema, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, MessagePromise, MiniAgents } from "miniagents"
import { Turns } from "miniagents/history"

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

const waiting = (fiber: Fiber.Fiber<unknown, unknown>) =>
  Effect.map(Effect.repeat(Effect.yieldNow, { times: 20 }), () => assert.isUndefined(fiber.pollUnsafe()))

/** Lets the files or rows be looked at until a fiber has ended. */
const looking = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() =>
    fiber.pollUnsafe() === undefined
      ? TestClock.adjust("50 millis").pipe(
          Effect.andThen(Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))),
          Effect.andThen(looking(fiber))
        )
      : Fiber.join(fiber)
  )

export const suite = <R>(
  name: string,
  options: {
    readonly layer: Layer.Layer<Turns.Turns, never, R>
    readonly own: Layer.Layer<R>
    /** Where a clock that is not the real one would outrun a server. */
    readonly live?: boolean
  }
) => {
  const effect = options.live === true ? it.live : it.effect
  const joined = options.live === true ? Fiber.join : looking
  const run = <A, E>(effect: Effect.Effect<A, E, Turns.Turns | R | Scope.Scope | MiniAgents.MiniAgents>) =>
    Effect.scoped(effect).pipe(Effect.provide(options.layer), Effect.provide([options.own, MiniAgents.layer()]))
  const fork = <A, E, R2>(effect: Effect.Effect<A, E, R2>) => Effect.forkChild(effect, { startImmediately: true })

  describe(`turns: ${name}`, () => {
    effect.each([
      ["success", Effect.void],
      ["a failure", Effect.fail(new Broken())],
      ["a defect", Effect.die("oops")],
      ["an interruption", Effect.interrupt]
    ])("law Alone, law Given back: the next one begins after %s", ([, end]) =>
      run(
        Effect.gen(function* () {
          const said: Array<string> = []
          const [begun, go] = [yield* Latch.make(), yield* Latch.make()]
          const first = Effect.gen(function* () {
            said.push("first begins")
            yield* begun.open
            yield* go.await
            said.push("first ends")
            yield* end as Effect.Effect<void, Broken>
          })
          const one = yield* fork(Turns.withTurn("c")(first))
          yield* begun.await
          const two = yield* fork(Turns.withTurn("c")(Effect.sync(() => void said.push("second"))))
          yield* waiting(two)
          yield* joined(yield* fork(Turns.withTurn("other")(Effect.sync(() => void said.push("other")))))
          yield* go.open
          yield* Fiber.await(one)
          yield* joined(two)
          assert.deepStrictEqual(said, ["first begins", "other", "first ends", "second"])
        })
      )
    )

    effect("who is interrupted while waiting takes no turn, and holds up nobody", () =>
      run(
        Effect.gen(function* () {
          const [begun, go] = [yield* Latch.make(), yield* Latch.make()]
          const one = yield* fork(Turns.withTurn("c")(Effect.andThen(begun.open, go.await)))
          yield* begun.await
          const two = yield* fork(Turns.withTurn("c")(Effect.die("it has no turn")))
          yield* waiting(two)
          yield* Fiber.interrupt(two)
          yield* go.open
          yield* Fiber.join(one)
          yield* joined(yield* fork(Turns.withTurn("c")(Effect.void)))
        })
      )
    )

    effect("who has the turn has it inside of it, too, and nobody else does", () =>
      run(
        Effect.gen(function* () {
          const nested = Turns.withTurn("c")(Turns.withTurn("d")(Turns.withTurn("c")(Effect.succeed("inside"))))
          assert.strictEqual(yield* joined(yield* fork(nested)), "inside")
          yield* joined(yield* fork(Turns.withTurn("d")(Effect.void)))
        })
      )
    )

    effect.each([
      ["x".repeat(600), `${"x".repeat(600)}y`],
      ["a.b", "a_b"],
      ["a", "A"],
      ["\ud83d", "\ufffd"],
      ["a b", "a%20b"]
    ])("%j and %j are two conversations: who has the turn of one takes that of the other", ([one, other]) =>
      run(
        Effect.gen(function* () {
          const nested = Turns.withTurn(one!)(Turns.withTurn(other!)(Effect.succeed("inside")))
          assert.strictEqual(yield* joined(yield* fork(nested)), "inside")
        })
      )
    )

    effect("an agent's turn lasts until all of its reply is there", () =>
      run(
        Effect.gen(function* () {
          const said: Array<string> = []
          const go = yield* Latch.make()
          const slow = Agent.make(
            "Slow",
            { parameters: { fails: Schema.optionalKey(Schema.Boolean) } },
            Effect.fnUntraced(function* (ctx) {
              said.push(yield* ctx.messages.text)
              const tokens = Stream.concat(Stream.make("re"), Stream.fromEffect(Effect.as(go.await, "ply")))
              const reply = yield* MessagePromise.fromStream(tokens)
              yield* ctx.reply(reply)
              said.push(String(yield* reply.message))
              if (ctx.parameters.fails === true) return yield* new Broken()
            })
          )
          const one = Turns.make(slow, { conversation: "c" })
          const first = yield* one.trigger("a", { fails: true })
          const second = yield* one.trigger("b")
          yield* Effect.repeat(Effect.yieldNow, { times: 20 })
          yield* go.open
          assert.deepStrictEqual(yield* Effect.exit(joined(yield* fork(first.messages))), Exit.fail(new Broken()))
          assert.deepStrictEqual((yield* joined(yield* fork(second.messages))).map(String), ["reply"])
          assert.deepStrictEqual(said, ["a", "reply", "b", "reply"])
        })
      )
    )
  })
}

/** Three processes take some turns each and are killed in the next one. */
export const processes = (folder: string, place: string, turns: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const program = fileURLToPath(new URL("Turns.child.ts", import.meta.url))
    const start = (name: string) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const args = ["--conditions=miniagents-source", "--no-warnings", program, folder, place, name, `${turns}`]
          return spawn(process.execPath, args, { stdio: "inherit" })
        }),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      ).pipe(Effect.flatMap((child) => Effect.promise(() => once(child, "exit"))))
    const ends = yield* Effect.forEach(["a", "b", "c"], start, { concurrency: "unbounded" })
    assert.deepStrictEqual(
      ends.map(([, signal]) => signal),
      ["SIGKILL", "SIGKILL", "SIGKILL"]
    )
    const notes = (yield* fs.readFileString(`${folder}/notes`)).trim().split("\n")
    assert.strictEqual(notes.length, turns * 6)
    for (let i = 0; i < notes.length; i += 2) {
      assert.strictEqual(notes[i + 1], notes[i]?.replace("begin", "end"))
    }
  })
