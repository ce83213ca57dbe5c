/** S20: programs that an inspector watches, and the same that none does. */
import chromium from "@sparticuz/chromium"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { type CDPSession, chromium as playwright, type Page } from "playwright-core"
import { Agent, MessagePromise, MiniAgents } from "miniagents"
import { Inspector } from "miniagents/inspector"
import * as BuiltPage from "../../scripts/Page.ts"
import type { Case } from "../Case.ts"
import { read } from "../floors/Reads.ts"
import * as Memory from "../Memory.ts"
import * as Tokens from "../Tokens.ts"

/** The address is for a person. */
const silent = Layer.effect(
  Console.Console,
  Effect.map(Console.Console, (console): Console.Console => Object.assign(Object.create(console), { error: () => {} }))
)

const inspected = MiniAgents.layer().pipe(Layer.provideMerge(Inspector.layer().pipe(Layer.provide(silent))))

/** The agents of S3. */
const writer = Agent.make("Writer", (ctx) =>
  Effect.flatMap(MessagePromise.fromStream(Tokens.stream(1000)), (promise) => ctx.reply(promise))
)

const writers = (agents: number) =>
  Effect.gen(function* () {
    const replies = yield* Effect.replicateEffect(writer.trigger(), agents)
    yield* Effect.forEach(replies, (sequence) => Stream.runForEach(sequence, (promise) => read(promise, 1000)), {
      concurrency: "unbounded",
      discard: true
    })
  })

/** The time is that of the program: an inspector has still something to write down when that has ended. */
const timed = Effect.fnUntraced(function* (agents: number) {
  const start = performance.now()
  yield* writers(agents)
  return { ms: performance.now() - start }
})

export const alone: Case = (agents) => Effect.runPromise(Effect.provide(timed(agents), MiniAgents.layer()))
export const watched: Case = (agents) => Effect.runPromise(Effect.provide(timed(agents), inspected))

/** How many messages each agent replies, each of one token, and how long after each other, in milliseconds. */
const each = 100
const pace = 100

const talker = Agent.make("Talker", (ctx) =>
  Effect.forEach(Tokens.take(each), (token) => Effect.andThen(ctx.reply(token), Effect.sleep(pace)), { discard: true })
)

/** Agents that talk all at once, and what is alive when all has been said. */
const talk = (messages: number, said: Effect.Effect<void> = Effect.void) =>
  Effect.gen(function* () {
    const replies = yield* Effect.replicateEffect(talker.trigger("talk"), messages / each)
    const read = yield* Effect.forEach(replies, ({ messages }) => messages, { concurrency: "unbounded" })
    yield* said // collecting what is no longer needed takes both cores
    const came = read.reduce((sum, { length }) => sum + length, 0)
    if (came !== messages) throw new Error(`${came} of ${messages} messages came`)
    return Memory.live()
  })

export const talks: Case = (messages) =>
  Effect.runPromise(
    Effect.provide(
      Effect.map(talk(messages), (alive) => ({ facts: { "MB alive": alive } })),
      MiniAgents.layer()
    )
  )

/** Notes when the page draws. */
const watch = `(() => { const at = []; globalThis.frames_ = at; const draw = (t) => { at.push(t); requestAnimationFrame(draw) }; requestAnimationFrame(draw) })()`

const framesOf = async (page: Page) => {
  const at = (await page.evaluate("globalThis.frames_")) as ReadonlyArray<number>
  const gaps = at
    .slice(1)
    .map((t, i) => t - at[i]!)
    .sort((a, b) => a - b)
  const seconds = (at.at(-1)! - at[0]!) / 1000
  return {
    "frames/s": gaps.length / seconds,
    "ms, worst frame": gaps.at(-1)!,
    "ms, 99 % of frames": gaps[Math.floor(gaps.length * 0.99)]!
  }
}

const heapOf = async (session: CDPSession) => {
  await session.send("HeapProfiler.collectGarbage")
  const { usedSize } = await session.send("Runtime.getHeapUsage")
  return usedSize / 2 ** 20
}

/** The same on a page in a real browser, which draws without a graphics card. */
export const shown: Case = async (messages) => {
  await BuiltPage.write()
  const browser = await playwright.launch({
    args: chromium.args.filter((arg) => arg !== "--single-process"),
    executablePath: await chromium.executablePath(),
    headless: true
  })
  const program = Effect.gen(function* () {
    const { url } = yield* Inspector.Inspector
    const page = yield* Effect.promise(() => browser.newPage({ viewport: { width: 1360, height: 800 } }))
    yield* Effect.promise(async () => {
      await page.goto(url)
      await page.getByText("No agent has been called yet").waitFor()
      // a second after a page was opened Chromium throws away what drew the empty one before it, which takes half a second
      await page.waitForTimeout(2500)
      await page.evaluate(watch)
    })
    let frames = {}
    const drawn = Effect.promise(async () => {
      frames = await framesOf(page)
    })
    const alive = yield* talk(messages, drawn)
    return yield* Effect.promise(async () => {
      const heap = await heapOf(await page.context().newCDPSession(page))
      return { facts: { "MB alive": alive, ...frames, "MB of the page": heap } }
    })
  })
  try {
    return await Effect.runPromise(Effect.provide(program, inspected))
  } finally {
    await browser.close()
  }
}
