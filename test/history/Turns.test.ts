/** Turns: one after the other in a conversation, whatever keeps them apart. */

import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, FileSystem, Latch, Layer, Schema, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, MessagePromise, MiniAgents } from "miniagents"
import { Turns } from "miniagents/history"
import { Folder } from "../agents/Folder.ts"

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

const waiting = (fiber: Fiber.Fiber<unknown, unknown>) =>
  Effect.map(Effect.repeat(Effect.yieldNow, { times: 20 }), () => assert.isUndefined(fiber.pollUnsafe()))

/** Lets the files be looked at until a fiber has ended. */
const joined = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() =>
    fiber.pollUnsafe() === undefined
      ? TestClock.adjust("50 millis").pipe(
          Effect.andThen(Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))),
          Effect.andThen(joined(fiber))
        )
      : Fiber.join(fiber)
  )

const suite = <R>(
  name: string,
  options: { readonly layer: Layer.Layer<Turns.Turns, never, R>; readonly own: Layer.Layer<R> }
) => {
  const run = <A, E>(effect: Effect.Effect<A, E, Turns.Turns | R | Scope.Scope | MiniAgents.MiniAgents>) =>
    Effect.scoped(effect).pipe(Effect.provide(options.layer), Effect.provide([options.own, MiniAgents.layer()]))
  const fork = <A, E, R2>(effect: Effect.Effect<A, E, R2>) => Effect.forkChild(effect, { startImmediately: true })

  describe(`turns: ${name}`, () => {
    it.effect.each([
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

    it.effect("who is interrupted while waiting takes no turn, and holds up nobody", () =>
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

    it.effect("who has the turn has it inside of it, too, and nobody else does", () =>
      run(
        Effect.gen(function* () {
          const nested = Turns.withTurn("c")(Turns.withTurn("d")(Turns.withTurn("c")(Effect.succeed("inside"))))
          assert.strictEqual(yield* joined(yield* fork(nested)), "inside")
          yield* joined(yield* fork(Turns.withTurn("d")(Effect.void)))
        })
      )
    )

    it.effect("an agent's turn lasts until all of its reply is there", () =>
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

suite("in memory", { layer: Turns.layerMemory, own: Layer.empty })
suite("by files", {
  layer: Layer.unwrap(Effect.map(Folder, (folder) => Turns.layerFile({ folder: `${folder}/turns` }))),
  own: Folder.layer
})

describe("turns by files", () => {
  it.effect.each(["", "..", "a/b", "\u0000", "C:\\x*?", "ü".repeat(300), "\ud83d", "support/42"])(
    "takes the turn of the conversation %j, and leaves nothing behind",
    (conversation) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = `${yield* Folder}/turns`
        const look = Turns.withTurn(conversation)(fs.readDirectory(folder))
        assert.strictEqual((yield* Effect.provide(look, Turns.layerFile({ folder }))).length, 1)
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [])
      }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("says why it cannot take one, and where", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* Folder
      yield* fs.writeFileString(`${folder}/file`, "")
      const take = Effect.provide(Turns.withTurn("c")(Effect.void), Turns.layerFile({ folder: `${folder}/file/turns` }))
      const error = yield* Effect.flip(take)
      const reason = `a part of the path is no folder (\`${folder}/file/turns\`)`
      assert.strictEqual(error.message, `Could not take the turn of the conversation \`c\`: ${reason}`)
    }).pipe(Effect.provide(Folder.layer))
  )

  it.live(
    "processes take turns, also after one that was killed in its own",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* Folder
        const program = fileURLToPath(new URL("Turns.child.ts", import.meta.url))
        const start = (name: string) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const args = ["--conditions=miniagents-source", "--no-warnings", program, folder, name, "20"]
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
        assert.strictEqual(notes.length, 120)
        for (let i = 0; i < notes.length; i += 2) {
          assert.strictEqual(notes[i + 1], notes[i]?.replace("begin", "end"))
        }
      }).pipe(Effect.scoped, Effect.provide(Folder.layer)),
    60_000
  )
})
