/** S19.8 and S19.9: processes of a cluster are killed while durable calls go on in them. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as SqlClient from "effect/sql/SqlClient"
import { MiniAgents } from "miniagents"
import type { Case } from "../Case.ts"
import { client, database, Goer, note, Walker, wordsOf } from "../cluster/Agents.ts"
import * as Processes from "../cluster/Processes.ts"

const steps = 20
const lanes = 6
const runners = 3

/** The same moments in every run, as far as they depend on this. */
const random = (seed: number) => () => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
  return seed / 2 ** 31
}

/** Reads a walk to its end; gives the longest time in which nothing came. */
const walked = (walk: number) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const replies = yield* Walker.trigger([], { walk, steps })
    let [step, longest, last] = [0, 0, performance.now()]
    yield* Stream.runForEach(replies, (promise) =>
      Effect.gen(function* () {
        let text = ""
        const whole = wordsOf(walk, step).join("")
        yield* Stream.runForEach(promise, (token) =>
          Effect.suspend(() => {
            longest = Math.max(longest, performance.now() - last)
            last = performance.now()
            text += token
            return whole.startsWith(text)
              ? Effect.void
              : Effect.die(new Error(`got ${text} in step ${step} of walk ${walk}`))
          })
        )
        if (text !== whole) return yield* Effect.die(new Error(`got ${text} as step ${step} of walk ${walk}`))
        yield* note(sql, "seen", walk, step++)
      })
    )
    if (step !== steps) return yield* Effect.die(new Error(`${step} of ${steps} steps of walk ${walk} came`))
    return longest
  })

export const killed = async (): Promise<Case> => {
  const cluster = await Processes.start(runners)
  const sql = database(cluster.host)
  await Effect.runPromise(
    Effect.provide(
      SqlClient.SqlClient.use(
        (sql) => sql`CREATE TABLE notes (id SERIAL PRIMARY KEY, what TEXT, walk INTEGER, step INTEGER)`
      ),
      sql
    )
  )
  let walks = 0
  return async (kills) => {
    const load = { goes: true }
    const pauses: Array<number> = []
    const lane: Effect.Effect<void, unknown, Walker | MiniAgents.MiniAgents | SqlClient.SqlClient> = Effect.gen(
      function* () {
        while (load.goes) pauses.push(yield* walked(walks++))
      }
    )
    const program = Effect.all(
      [
        Effect.forEach(Array.from({ length: lanes }), () => lane, { concurrency: "unbounded", discard: true }),
        Effect.promise(() => killing(cluster, kills).finally(() => (load.goes = false)))
      ],
      { concurrency: "unbounded", discard: true }
    )
    const facts = Effect.gen(function* () {
      yield* program
      const sql = yield* SqlClient.SqlClient
      // what a reader had seen was kept
      const [again] = yield* sql<{ count: number }>`
        SELECT count(*)::int AS count FROM notes asked JOIN notes seen USING (walk, step)
        WHERE asked.what = 'asked' AND seen.what = 'seen' AND asked.id > seen.id`
      if (again!.count > 0)
        return yield* Effect.die(new Error(`${again!.count} answers that were kept were asked for again`))
      const [total] = yield* sql<{ asked: number; seen: number }>`
        SELECT count(*) FILTER (WHERE what = 'asked')::int AS asked, count(*) FILTER (WHERE what = 'seen')::int AS seen FROM notes`
      return total!
    })
    const start = performance.now()
    const { asked, seen } = await Effect.runPromise(
      Effect.provide(facts, [client(cluster.host), sql, MiniAgents.layer()])
    )
    const sorted = pauses.toSorted((a, b) => a - b)
    return {
      ms: performance.now() - start,
      facts: {
        kills,
        "steps seen": seen,
        "steps asked for": asked,
        "longest pause ms, p50": sorted[Math.floor(sorted.length / 2)]!,
        "longest pause ms": sorted.at(-1)!
      }
    }
  }
}

/** How long it takes until a call goes on whose process is killed while it has the call. */
export const failedOver = async (): Promise<Case> => {
  const cluster = await Processes.start(2)
  const alive = [...cluster.runners]
  const once = Effect.gen(function* () {
    const replies = yield* Goer.trigger()
    const [first] = yield* Stream.runCollect(Stream.take(replies, 1))
    const pid = Number(String(yield* first.message))
    const at = alive.findIndex(({ child }) => child.pid === pid)
    const { child } = alive[at]!
    child.removeAllListeners("exit")
    const killed = performance.now()
    child.kill("SIGKILL")
    const [, last] = yield* replies.messages
    const ms = performance.now() - killed
    if (String(last) !== "gone on") return yield* Effect.die(new Error(`got ${String(last)}`))
    alive[at] = yield* Effect.promise(() => Processes.startRunner(cluster.host))
    return ms
  })
  return async (kills) => {
    const calls = Effect.forEach(Array.from({ length: kills }), () => once)
    const took = await Effect.runPromise(Effect.provide(calls, [client(cluster.host), MiniAgents.layer()]))
    const sorted = took.toSorted((a, b) => a - b)
    return {
      ms: took.reduce((sum, ms) => sum + ms),
      facts: {
        "ms until it goes on, p50": sorted[Math.floor(kills / 2)]!,
        "ms until it goes on, longest": sorted.at(-1)!
      }
    }
  }
}

const killing = async (cluster: Processes.Cluster, kills: number) => {
  const next = random(7)
  const alive = [...cluster.runners]
  for (let i = 0; i < kills; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100 + 400 * next()))
    const at = Math.floor(next() * alive.length)
    const { child } = alive[at]!
    child.removeAllListeners("exit")
    child.kill("SIGKILL")
    alive[at] = await Processes.startRunner(cluster.host)
  }
}
