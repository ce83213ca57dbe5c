import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, type MessageSequence, MiniAgents, Observer, Persistence } from "miniagents"
import { Recorder } from "../../src/inspector/watch/recorder.ts"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law } from "./Law.ts"
import * as Program from "./Program.ts"

/** Everything that was seen of a call. */
interface Seen {
  readonly path: string
  readonly parent: string | undefined
  readonly input: Program.Expected
  readonly replies: Program.Expected
}

/** An observer that reads all there is of each call, and what it saw. */
const recording = () => {
  const calls: Array<Seen> = []
  const see = (sequence: Observer.MessageSequence) =>
    Effect.flatMap(Program.read(sequence as unknown as MessageSequence.MessageSequence<unknown>), Program.described)
  const observer: Observer.Observer = {
    onCall: (call) =>
      Effect.gen(function* () {
        const [input, replies] = yield* Effect.all([see(call.input), see(call.replies)], { concurrency: "unbounded" })
        calls.push({ path: call.path, parent: call.parent?.path, input, replies })
      })
  }
  return { calls, layer: Observer.layer(observer) }
}

/** Runs a program that may be watched, and says all that its user can see of it. */
const outcome = (root: Program.AgentNode, reads: boolean, options: MiniAgents.Options, watched: Layer.Layer<never>) =>
  Effect.gen(function* () {
    const run = new Program.Run()
    const [seen, logs] = yield* CleanRuntime.logged(
      Effect.gen(function* () {
        const replies = yield* run.trigger(root)
        return reads ? yield* Effect.flatMap(Program.read(replies), Program.described) : undefined
      }).pipe(Effect.provide(MiniAgents.layer(options).pipe(Layer.provide(watched))))
    )
    const count = (counts: ReadonlyMap<string, number>) =>
      [...counts].map(([at, times]) => `${at}: ${times}`).toSorted()
    const reports = logs.map((line) => line.split("\n")[0]).toSorted()
    // what a failure interrupts may have run or not
    if (Program.failures(root).length > 0) return { seen, reports }
    return { seen, bodies: count(run.bodies), sources: count(run.sources), reports }
  })

describe("Law 15, Observed unchanged", () => {
  law(
    "Law 15, Observed unchanged: whoever watches, a program says, runs and reports the same",
    {
      root: Program.programs({
        ends: ["ok", "ok", "fail", "die"],
        relaying: ["hand on", "read"], // whether a stream that nobody reads starts depends on what runs first
        startSoon: ["default", "yes", "no"],
        errorsAsMessages: ["default", "yes", "no"]
      }),
      reads: Schema.Boolean,
      startSoon: Schema.Boolean,
      errorsAsMessages: Schema.Boolean,
      streamTokens: Schema.Boolean
    },
    ({ reads, root, ...options }) =>
      Effect.gen(function* () {
        const alone = yield* outcome(root, reads, options, Layer.empty)
        const observer = recording()
        const inspector = new Recorder("law", yield* Clock.Clock, () => {})
        const all = Layer.mergeAll(
          observer.layer,
          Persistence.layer(() => Effect.void),
          Observer.layer(inspector)
        )
        assert.deepStrictEqual(yield* outcome(root, reads, options, all), alone)
      }),
    { seeds: 200 }
  )

  law(
    "Law 15, Observed unchanged: an observer sees every call, and of each what its readers do",
    { root: Program.programs({ ends: ["ok", "ok", "fail", "die"], calls: ["trigger"] }) },
    ({ root }) =>
      Effect.gen(function* () {
        const observer = recording()
        const expected = yield* Effect.gen(function* () {
          const replies = yield* new Program.Run().trigger(root)
          return yield* Effect.flatMap(Program.read(replies), Program.described)
        }).pipe(Effect.provide(MiniAgents.layer().pipe(Layer.provide(observer.layer))))
        const [first] = observer.calls.filter(({ path }) => path === "A0")
        assert.deepStrictEqual(first?.replies, expected)
        const paths = observer.calls.map(({ path }) => path)
        assert.strictEqual(new Set(paths).size, paths.length, "no two calls have the same path")
        for (const { parent, path } of observer.calls) {
          assert.strictEqual(parent, path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : undefined)
        }
      })
  )

  it.effect("Law 15, Observed unchanged: a lazy call that nobody reads is seen and not started", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      let runs = 0
      const agent = Agent.make("Lazy", (ctx) =>
        Effect.andThen(
          Effect.sync(() => void runs++),
          ctx.reply("x")
        )
      )
      const watch = Observer.layer({
        onCall: (call) =>
          Effect.sync(() => void seen.push(call.path)).pipe(
            Effect.andThen(
              Effect.forkChild(call.started.pipe(Effect.andThen(Effect.sync(() => void seen.push("started")))))
            ),
            Effect.andThen(call.replies.messages)
          )
      })
      yield* Effect.provide(
        Effect.andThen(agent.trigger("hello", {}, { startSoon: false }), CleanRuntime.turns()),
        MiniAgents.layer().pipe(Layer.provide(watch))
      )
      assert.deepStrictEqual([seen, runs], [["Lazy"], 0])
    })
  )

  it.effect("Law 15, Observed unchanged: an observer that fails or dies is logged, and disturbs nobody", () =>
    Effect.gen(function* () {
      const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
      const failing = Layer.merge(
        Observer.layer({ onCall: () => Effect.fail("no disk") }),
        Observer.layer({
          onCall: () => {
            throw new Error("a bug")
          }
        })
      )
      const [text, logs] = yield* CleanRuntime.logged(
        Effect.flatMap(echo.trigger("hello"), (replies) => replies.text).pipe(
          Effect.provide(MiniAgents.layer().pipe(Layer.provide(failing)))
        )
      )
      assert.strictEqual(text, "hello")
      assert.strictEqual(logs.filter((line) => line.startsWith("An observer failed")).length, 2)
    })
  )

  const watching: ReadonlyArray<readonly [string, Observer.Observer["onCall"]]> = [
    ["nobody", () => Effect.void],
    ["the messages", ({ input }) => Effect.exit(Stream.runDrain(input))],
    [
      "the parts",
      ({ input }) =>
        Stream.runForEach(input.parts, (part) => Effect.exit(Stream.runDrain<unknown, unknown, never>(part)))
    ]
  ]
  it.effect.each(watching)(
    "Law 15, Observed unchanged: input that nobody reads ends with the call (watched: %s)",
    ([, onCall]) =>
      Effect.gen(function* () {
        const notes: Array<string> = []
        const note = (text: string) => Effect.sync(() => void notes.push(text))
        const endless = Stream.concat(Stream.make("a"), Stream.never).pipe(Stream.ensuring(note("input ended")))
        const deaf = Agent.make("Deaf", (ctx) =>
          Effect.replicateEffect(Effect.yieldNow, 20).pipe(
            Effect.andThen(note("call ends")),
            Effect.andThen(ctx.reply("x"))
          )
        )
        yield* Effect.flatMap(deaf.trigger(endless), (replies) => replies.text).pipe(
          Effect.provide(MiniAgents.layer().pipe(Layer.provide(Observer.layer({ onCall })))) // which waits for all that runs
        )
        assert.deepStrictEqual(notes, ["call ends", "input ended"])
      })
  )

  it.effect("Law 15, Observed unchanged: an observer is told how a call ended, and starts before the call does", () =>
    Effect.gen(function* () {
      const notes: Array<string> = []
      const note = (text: string) => Effect.sync(() => void notes.push(text))
      const agent = Agent.make("Agent", (ctx) =>
        note("runs").pipe(Effect.andThen(ctx.reply("x")), Effect.andThen(Effect.fail("no")))
      )
      const watch = Observer.layer({
        onCall: ({ encodedParameters, exit, path }) =>
          note(`${path} called with ${JSON.stringify(encodedParameters)}`).pipe(
            Effect.andThen(exit),
            Effect.flatMap((ended) => note(Exit.isFailure(ended) ? "failed" : "ended"))
          )
      })
      yield* Effect.flatMap(agent.trigger(), (replies) => Effect.exit(replies.messages)).pipe(
        Effect.provide(Layer.mergeAll(MiniAgents.layer(), watch)) // an observer may also stand beside the runtime
      )
      assert.deepStrictEqual(notes, ["Agent called with {}", "runs", "failed"])
    })
  )

  it.effect(
    "Law 15, Observed unchanged: what is registered sees all runtimes made from then on, until it is removed",
    () =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const agent = Agent.make("Agent", (ctx) => ctx.reply("x"))
        const call = Effect.flatMap(agent.trigger(), (replies) => replies.text).pipe(
          Effect.provide(MiniAgents.layer(), { local: true })
        )
        const remove = Observer.register({ onCall: ({ path }) => Effect.sync(() => void seen.push(path)) })
        yield* call
        remove()
        yield* call
        assert.deepStrictEqual(seen, ["Agent"])
      })
  )
})
