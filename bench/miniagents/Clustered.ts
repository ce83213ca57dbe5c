/** S19: calls to an agent in this process, and the same in a process of a cluster. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { MiniAgents } from "miniagents"
import type { Case, Outcome } from "../Case.ts"
import { client, Keeper, Speaker, SpeakerLive } from "../cluster/Agents.ts"
import * as Processes from "../cluster/Processes.ts"
import * as Tokens from "../Tokens.ts"

type Program = (
  size: number,
  runners: ReadonlyArray<Processes.Runner>
) => Effect.Effect<Outcome, unknown, Speaker | MiniAgents.MiniAgents>

const here =
  async (program: Program): Promise<Case> =>
  (size) =>
    Effect.runPromise(Effect.provide(program(size, []), [SpeakerLive, MiniAgents.layer()]))

/** Everything of the cluster ends with this process. */
const there = async (program: Program, count = 1): Promise<Case> => {
  const { host, runners } = await Processes.start(count)
  return (size) => Effect.runPromise(Effect.provide(program(size, runners), [client(host), MiniAgents.layer()]))
}

const one = Effect.gen(function* () {
  const [message] = yield* (yield* Speaker.trigger("hello", { tokens: 0, gap: 0 })).messages
  if (String(message) !== "hello") return yield* Effect.die(new Error(`got ${String(message)}`))
})

/** Milliseconds on the wall; what the first calls take is the time to find each other. */
const timed = <E, R>(effect: Effect.Effect<void, E, R>) => Effect.map(watched(effect), ({ ms }) => ms)

/** The same, and milliseconds of the processor in this process, which is the caller. */
const watched = <E, R>(effect: Effect.Effect<void, E, R>) =>
  Effect.gen(function* () {
    const [start, used] = [performance.now(), process.cpuUsage()]
    yield* effect
    const { system, user } = process.cpuUsage(used)
    return { ms: performance.now() - start, cpu: (user + system) / 1000 }
  })

const warmUp = Effect.andThen(
  Effect.forEach(Array.from({ length: 300 }), () => one, { concurrency: 32, discard: true }),
  Effect.forEach(Array.from({ length: 200 }), () => one, { discard: true })
)

const inTurn: Program = (size) =>
  Effect.gen(function* () {
    yield* warmUp
    const ms = yield* timed(Effect.forEach(Array.from({ length: size }), () => one, { discard: true }))
    return { ms, facts: { "ms a call": ms / size } }
  })

const atOnce: Program = (size) =>
  Effect.gen(function* () {
    yield* warmUp
    const calls = Effect.forEach(Array.from({ length: size }), () => one, { concurrency: 32, discard: true })
    const { cpu, ms } = yield* watched(calls)
    return { ms, facts: { "calls/s": (size / ms) * 1000, "caller's ms of the processor a call": cpu / size } }
  })

const read = (tokens: number, gap: number) =>
  Effect.gen(function* () {
    const replies = yield* Speaker.trigger([], { tokens, gap })
    let text = ""
    yield* Stream.runForEach(replies, (promise) =>
      Stream.runForEachArray(promise, (tokens) => Effect.sync(() => void (text += tokens.join(""))))
    )
    if (text !== Tokens.take(tokens).join("")) return yield* Effect.die(new Error("the text is not what was said"))
  })

const inOne = 100_000

const tokens: Program = (size) =>
  Effect.gen(function* () {
    yield* warmUp
    const messages = Array.from({ length: size / inOne }, () => read(inOne, 0))
    const ms = yield* timed(Effect.all(messages, { discard: true }))
    return { ms, facts: { "M tokens/s": size / ms / 1000 } }
  })

const streams = 50
const gap = 5

const paced: Program = (size) =>
  Effect.gen(function* () {
    yield* warmUp
    const all = Array.from({ length: streams }, () => read(size / streams, gap))
    const { cpu, ms } = yield* watched(Effect.all(all, { concurrency: "unbounded", discard: true }))
    const pace = (size / streams) * gap
    return { ms, facts: { "of its pace": ms / pace, "caller's µs of the processor a token": (cpu * 1000) / size } }
  })

/** Calls that take a place of their process for a while: what so many processes carry, as far as the cores do. */
const busy: Program = (size) =>
  Effect.gen(function* () {
    yield* warmUp
    const call = Effect.flatMap(Speaker.trigger("hello", { tokens: 0, gap: 40 }), ({ messages }) => messages)
    const calls = Effect.forEach(Array.from({ length: size }), () => call, { concurrency: 256, discard: true })
    const ms = yield* timed(calls)
    return { ms, facts: { "calls/s": (size / ms) * 1000 } }
  })

const idle: Program = (size, runners) =>
  Effect.gen(function* () {
    yield* warmUp
    const memory = Effect.promise(async () => (await Promise.all(runners.map((runner) => runner.memory())))[0] ?? 0)
    const before = yield* memory
    const opened = Effect.gen(function* () {
      const call = yield* Speaker.call({ tokens: 0, gap: 0 })
      yield* call.send("I wait")
      const replies = yield* call.replies({ finish: false })
      yield* Stream.runDrain(Stream.take(replies, 1))
      return yield* Effect.never
    })
    const fibers = yield* Effect.forEach(Array.from({ length: size }), () => Effect.forkChild(opened))
    yield* Effect.sleep("3 seconds")
    const held = yield* memory
    const ms = yield* timed(Fiber.interruptAll(fibers))
    yield* Effect.sleep("1 second")
    const left = yield* memory
    const kib = (megabytes: number) => Math.max(0, (megabytes * 1024) / size)
    return { ms, facts: { "KiB a call": kib(held - before), "KiB a call that was interrupted": kib(left - before) } }
  })

const durable = async (): Promise<Case> => {
  const { host } = await Processes.start(1)
  const call = Effect.flatMap(Keeper.trigger("hello"), ({ messages }) => messages)
  const program = (size: number) =>
    Effect.gen(function* () {
      yield* Effect.forEach(Array.from({ length: 50 }), () => call, { concurrency: 32, discard: true })
      const calls = Effect.forEach(Array.from({ length: size }), () => call, { concurrency: 32, discard: true })
      const ms = yield* timed(calls)
      return { ms, facts: { "calls/s": (size / ms) * 1000 } }
    })
  return (size) => Effect.runPromise(Effect.provide(program(size), [client(host), MiniAgents.layer()]))
}

export const durableThere = durable
export const inTurnHere = () => here(inTurn)
export const inTurnThere = () => there(inTurn)
export const atOnceHere = () => here(atOnce)
export const atOnceThere = () => there(atOnce)
export const busyThere = (count: number) => there(busy, count)
export const tokensHere = () => here(tokens)
export const tokensThere = () => there(tokens)
export const pacedHere = () => here(paced)
export const pacedThere = () => there(paced)
export const idleThere = () => there(idle)
