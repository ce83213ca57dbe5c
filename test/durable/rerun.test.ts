/** Runs that are run again with something changed: what is asked the same is not asked. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"
import { ModelServer } from "../../bench/durable/ModelServer.ts"
import { model, TheWorld, World } from "./World.ts"

const COUNT = 50

/** Fifty writers, and one that reads what every tenth of them wrote. */
const team = (changed: number | undefined, { chapters = 1, extra = false } = {}) =>
  Agent.make(
    "Team",
    Effect.fnUntraced(function* (ctx) {
      if (extra) yield* ctx.reply(yield* LlmAgent.make("Extra").trigger("something else"))
      const texts = []
      for (let i = 0; i < COUNT; i++) {
        const writer = LlmAgent.make(`Writer${i}`, { system: i === changed ? "Be brief" : "Be exact" })
        const written = []
        for (let chapter = 1; chapter <= chapters; chapter++)
          written.push(yield* writer.trigger(`Chapter ${i}.${chapter}`))
        texts.push(written)
      }
      for (const text of texts) yield* ctx.replyOutOfOrder(text)
      yield* ctx.reply(yield* LlmAgent.make("Reader").trigger(texts.filter((_, i) => i % 10 === 0)))
    })
  )

const test = (
  title: string,
  body: Effect.Effect<
    void,
    unknown,
    DurableRuns.DurableRuns | Runs.Runs | MiniAgents.MiniAgents | TheWorld | Layer.Success<typeof model>
  >
) =>
  it.effect(title, () => {
    const app = Layer.mergeAll(
      Layer.provide(DurableRuns.layer(), Store.layerMemory),
      MiniAgents.layer(),
      Durable.model(model)
    ).pipe(Layer.provideMerge(Layer.sync(TheWorld, () => new World())))
    return Effect.provide(body, app)
  })

const done = <E>({ id }: Runs.Run<E>) => Stream.runDrain(Runs.read(id))

describe("DurableRuns.rerun", () => {
  test(
    "asks only the agent whose prompt changed, and who reads its different answer; and says what that saved",
    Effect.gen(function* () {
      const { begun } = yield* TheWorld
      yield* done(yield* Runs.start(team(undefined), [], {}, { id: "r-1" }))
      assert.strictEqual(begun.length, COUNT + 1)
      // one that nobody reads, and one that the reader reads
      for (const [changed, asked] of [
        [7, 1],
        [20, 2]
      ] as const) {
        begun.length = 0
        const id = `changed-${changed}`
        yield* done(yield* DurableRuns.rerun("r-1", { id, agent: team(changed) }))
        assert.strictEqual(begun.length, asked)
        assert.isTrue(begun[0]!.startsWith("Be brief"))
        const report = yield* DurableRuns.report(id)
        assert.deepInclude(report, { asked, reused: COUNT + 1 - asked })
        assert.strictEqual(report.saved.output, 5 * (COUNT + 1 - asked))
        assert.strictEqual(report.unused.length, asked)
        const { added, changed: differ, removed } = yield* DurableRuns.diff("r-1", id)
        assert.deepStrictEqual([added, removed], [[], []])
        assert.deepStrictEqual(
          differ.map(({ path }) => path),
          [`Team/${changed}:Writer${changed}`, ...(asked === 2 ? ["Team/50:Reader"] : [])]
        )
        assert.notStrictEqual(differ[0]?.left, differ[0]?.right)
      }
    })
  )

  it.live("asks a server again for what changed alone: of 200 calls those of one agent, over HTTP", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const server = new ModelServer(1)
          await server.start()
          return server
        }),
        (server) => Effect.promise(() => server.close())
      )
      const app = Layer.mergeAll(
        Layer.provide(DurableRuns.layer(), Store.layerMemory),
        MiniAgents.layer(),
        OpenAi.model("counted").pipe(
          Durable.model,
          Layer.provide(OpenAi.layer({ apiKey: Redacted.make("none"), baseUrl: `${server.url}/v1` }))
        )
      )
      const changed = 7
      yield* Effect.gen(function* () {
        yield* done(yield* Runs.start(team(undefined, { chapters: 4 }), [], {}, { id: "r-1" }))
        assert.strictEqual(server.asked.length, 4 * COUNT + 1)
        const agent = team(changed, { chapters: 4 })
        yield* done(yield* DurableRuns.rerun("r-1", { id: "r-2", agent }))
        const again = server.asked.slice(4 * COUNT + 1).map(({ key }) => key)
        assert.deepStrictEqual(
          again.toSorted(),
          [1, 2, 3, 4].map((chapter) => `system: Be brief|user: Chapter ${changed}.${chapter}`)
        )
      }).pipe(Effect.provide(app))
    }).pipe(Effect.scoped)
  )

  test(
    "finds what was asked although all calls have moved, and under another name",
    Effect.gen(function* () {
      const { begun } = yield* TheWorld
      yield* done(yield* Runs.start(team(undefined), [], {}, { id: "r-1" }))
      begun.length = 0
      yield* done(
        yield* DurableRuns.rerun("r-1", { id: "r-2", agent: team(undefined, { extra: true }).fork({ name: "Crew" }) })
      )
      assert.deepStrictEqual(begun, ["something else"])
      // a rerun of a rerun has all of it
      begun.length = 0
      yield* done(yield* DurableRuns.rerun("r-2", { id: "r-3", agent: team(undefined) }))
      assert.deepStrictEqual(begun, [])
    })
  )

  test(
    "takes the agent that is served, other input and other parameters; an id that is taken is refused",
    Effect.gen(function* () {
      const { begun } = yield* TheWorld
      const echo = LlmAgent.make("Echo")
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* DurableRuns.serve(echo)
          yield* done(yield* Runs.start(echo, "one", {}, { id: "r-1" }))
          yield* done(yield* DurableRuns.rerun("r-1", { id: "same" }))
          yield* done(yield* DurableRuns.rerun("r-1", { id: "other", input: "two" }))
          yield* done(yield* DurableRuns.rerun("r-1", { id: "third", parameters: { system: "three" } }))
          assert.deepStrictEqual(begun, ["one", "two", "three|one"])
          const taken = yield* Effect.flip(DurableRuns.rerun("r-1", { id: "other", agent: echo }))
          assert.include(taken.message, "take another id")
          const none = yield* Effect.flip(DurableRuns.rerun("none", { agent: echo }))
          assert.deepStrictEqual(none.reason, { _tag: "NotFound", id: "none" })
        })
      )
    })
  )
})
