/** One program that is killed again and again, with everything that is to be true of it afterwards. */
import { type ChildProcess, spawn } from "node:child_process"
import { Effect, Fiber, Layer, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { MiniAgents, type Transcript } from "miniagents"
import { DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"
import { client, lease, type Settings } from "./child.ts"
import { ModelServer } from "./ModelServer.ts"
import * as Program from "./Program.ts"
import { Reading } from "./Readings.ts"

export interface Options {
  readonly seed: number
  readonly kills: number
  readonly partial: "continue" | "restart"
  readonly database: Settings["database"]
  readonly prefix: string
  /** How a child is started, without its first word. */
  readonly command: ReadonlyArray<string>
  readonly tokens: number
  /** A process lives for so many moments at most. */
  readonly moments: number
}

export interface Outcome {
  readonly kills: number
  /** Requests and tools that were asked again although their answer was kept. */
  readonly askedAgain: number
  /** Requests that were under way when they were killed, at the most of all kills and all together. */
  readonly underWay: number
  readonly requests: number
  /** Requests whose answers were kept. */
  readonly kept: number
  /** Tokens that were said for answers that were kept in the end. */
  readonly tokens: number
  /** Tokens of the answers that were kept, whichever requests they came from. */
  readonly tokensKept: number
  readonly resets: number
  readonly problems: ReadonlyArray<string>
}

/** A process that has loaded everything and waits for its word, so that starting it does not cost the trial time. */
const spare = ([command, ...args]: ReadonlyArray<string>): ChildProcess =>
  spawn(command!, [...args, "run"], { stdio: ["pipe", "pipe", "pipe"] })

interface Life {
  readonly reading: Reading
  readonly hasEnded: boolean
  readonly errors: string
}

/** Has the run go on in a process, and kills that after so many moments; never, if none are given. */
const live = (
  child: ChildProcess,
  settings: Settings,
  server: ModelServer,
  moments: number | undefined,
  delay: number
) =>
  Effect.callback<Life>((resume) => {
    const reading = new Reading()
    let [left, rest, errors] = [moments ?? Number.POSITIVE_INFINITY, "", ""]
    const kill = () => void child.kill("SIGKILL")
    server.onMoment = () => {
      if (--left === 0) {
        if (delay === 0) kill()
        else setTimeout(kill, delay)
      }
    }
    child.stdout!.on("data", (data) => {
      const lines = (rest + String(data)).split("\n")
      rest = lines.pop()!
      for (const line of lines) if (line.startsWith("{")) reading.take(JSON.parse(line) as Transcript.Event)
    })
    child.stderr!.on("data", (data) => (errors += String(data)))
    child.on("close", (_, signal) => {
      server.onMoment = () => {}
      resume(Effect.succeed({ reading, hasEnded: signal === null, errors }))
    })
    child.stdin!.write(`${JSON.stringify(settings)}\n`)
    return Effect.sync(kill)
  })

const answers = (prefix: string) =>
  SqlClient.SqlClient.use((sql) => {
    const log = sql`${sql(`${prefix}run_log`)}`
    return sql<{ body: string }>`SELECT body FROM ${log} WHERE run = 1 AND kind = 'answer'`
  }).pipe(
    Effect.map((rows) =>
      rows.map(({ body }) => JSON.parse(body) as { readonly what: string; readonly value: unknown })
    ),
    Effect.orElseSucceed(() => [])
  )

/** How often each thing is in a list. */
const counted = (list: ReadonlyArray<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const each of list) counts.set(each, (counts.get(each) ?? 0) + 1)
  return counts
}

/** The ids of the responses that are kept. */
const idsOf = (kept: ReadonlyArray<{ readonly what: string; readonly value: unknown }>): ReadonlyArray<string> =>
  kept.flatMap(({ value, what }) => {
    const { parts = [] } = value as { readonly parts?: ReadonlyArray<{ readonly type: string; readonly id?: string }> }
    const id = parts.find(({ type }) => type === "response-metadata")?.id
    return what === "model" && id !== undefined ? [id] : []
  })

export const run = (options: Options): Effect.Effect<Outcome, unknown> =>
  Effect.gen(function* () {
    const { command, kills, partial, prefix, seed, tokens } = options
    const server = new ModelServer(tokens)
    yield* Effect.acquireRelease(
      Effect.promise(() => server.start()),
      () => Effect.promise(() => server.close())
    )
    const spares = new Set<ChildProcess>()
    yield* Effect.addFinalizer(() => Effect.sync(() => spares.forEach((child) => child.kill("SIGKILL"))))
    const start = () => {
      const child = spare(command)
      spares.add(child)
      return child
    }
    const settings: Settings = { url: server.url, seed, partial, database: options.database, prefix }
    const next = Program.random(seed * 7 + 1)
    const program = Program.make(seed)
    const twins = 2 * JSON.stringify(program).split('"twins"').length - 2
    const problems: Array<string> = []
    const lives: Array<Life> = []
    let [askedAgain, underWay, killed] = [0, 0, 0]
    const seen = new Set<string>()
    const sent = new Set<string>()
    // somebody in another process reads all the time, and answers what is waited for
    const reader = new Reading()
    const reading = Effect.gen(function* () {
      while ((yield* Effect.option(Runs.get("r")))._tag === "None") yield* Effect.sleep("20 millis")
      yield* Stream.runForEach(Runs.read("r"), (event) => Effect.sync(() => reader.take(event)))
    })
    const answering = Effect.gen(function* () {
      const { waiting } = yield* Runs.get("r")
      for (const name of waiting) {
        if (sent.has(name)) continue
        sent.add(name)
        yield* Runs.signal("r", name, { by: "Ann" })
      }
    }).pipe(Effect.ignore, Effect.andThen(Effect.sleep("30 millis")), Effect.forever)
    let child = start()
    yield* Effect.forkChild(answering)
    const following = yield* Effect.forkChild(reading)
    for (;;) {
      const [mine, spare] = [child, start()]
      child = spare
      server.life++
      const isLast = killed >= kills
      const [moments, delay] = [
        1 + Math.floor(next() ** 2 * options.moments),
        next() < 0.5 ? 0 : Math.floor(next() * 12)
      ]
      const before = yield* answers(prefix)
      const life = yield* live(mine, settings, server, isLast ? undefined : moments, delay)
      spares.delete(mine)
      lives.push(life)
      if (life.errors !== "") return yield* Effect.die(new Error(life.errors.slice(0, 1000)))
      // what was asked in this life, against what was kept when it began
      const byId = new Map(server.asked.map((asked) => [asked.id, asked]))
      const kept = counted(idsOf(before).map((id) => byId.get(id)!.key))
      const asked = counted(server.asked.filter(({ life }) => life === server.life).map(({ key }) => key))
      for (const [key, times] of asked) {
        const most = key === "user: twin" ? twins : 1
        askedAgain += Math.max(0, times - Math.max(0, most - (kept.get(key) ?? 0)))
      }
      const keptTools = before.flatMap(({ value, what }) =>
        what === "tool" || what === "step" ? [JSON.stringify(value)] : []
      )
      for (const { life, what } of server.done) {
        if (life !== server.life) continue
        // what is done says what was asked, in words that the result of nothing else has
        const result = yield* Effect.promise(() => resultOf(what))
        if (keptTools.some((value) => value.includes(result))) askedAgain++
      }
      const after = idsOf(yield* answers(prefix))
      for (const id of seen) if (!after.includes(id)) problems.push(`the answer ${id} was kept, and is no longer`)
      for (const id of after) seen.add(id)
      if (life.hasEnded) break
      killed++
      const begun = server.asked.filter(({ life }) => life === server.life)
      underWay += begun.filter(({ id }) => !after.includes(id)).length
    }
    child.kill("SIGKILL")
    yield* Fiber.join(following)
    const last = lives.at(-1)!.reading
    if (last.end !== "end") problems.push(`the run ended as ${last.end}`)
    if (JSON.stringify(reader.said) !== JSON.stringify(last.said)) problems.push("two readers have read different runs")
    for (const { reading } of [...lives, { reading: reader }]) {
      if (reading.problem !== undefined) problems.push(reading.problem)
      if (reading.resets === 0 && !reading.isPrefixOf(last)) problems.push("what a reader was given is no prefix")
    }
    if (server.misquoted > 0) problems.push(`${server.misquoted} answers went on from what was never said`)
    // all of it is kept: run again it asks nothing, and says the same
    const asked = server.asked.length
    const again = new Reading()
    yield* DurableRuns.rerun("r", { id: "again", agent: Program.agent(seed, server.url) }).pipe(
      Effect.provide(Program.layer(server.url))
    )
    yield* Stream.runForEach(Runs.read("again"), (event) => Effect.sync(() => again.take(event)))
    if (server.asked.length > asked) problems.push(`a rerun asked ${server.asked.length - asked} requests`)
    if (JSON.stringify(again.said) !== JSON.stringify(last.said)) problems.push("a rerun said something else")
    const answered = server.asked.filter(({ id }) => seen.has(id))
    // what a branch of a race that lost has asked is paid without a kill, too
    const keys = new Set(answered.map(({ key }) => key))
    const paid = server.asked.filter(({ key }) => keys.has(key))
    const sum = (all: typeof server.asked, of: "tokens" | "whole") => all.reduce((total, asked) => total + asked[of], 0)
    return {
      ...{ kills: killed, askedAgain, underWay, problems },
      ...{ requests: asked, kept: seen.size },
      ...{ tokens: sum(paid, "tokens"), tokensKept: sum(answered, "whole") },
      resets: lives.reduce((total, { reading }) => total + reading.resets, reader.resets)
    }
  }).pipe(
    Effect.provide(
      Layer.mergeAll(DurableRuns.layer({ lease }), MiniAgents.layer()).pipe(
        Layer.provideMerge(Store.layer({ tablePrefix: options.prefix })),
        Layer.provideMerge(client(options.database))
      )
    ),
    Effect.scoped
  )

/** What the server answers to who does something. */
const resultOf = async (what: string): Promise<string> => {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`/${what}`))
  return `done ${Buffer.from(hash).toString("hex").slice(0, 8)}`
}
