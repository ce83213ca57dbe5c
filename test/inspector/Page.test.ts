/** The page in a real browser, beside programs that go on step by step. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { gzipSync } from "node:zlib"
import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import type { Browser, Page } from "playwright-core"
import { Agent, MessagePromise, type MiniAgents } from "miniagents"
import { Inspector } from "miniagents/inspector"
import { LlmAgent } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"
import * as BuiltPage from "../../scripts/Page.ts"
import * as RecordFile from "../../src/inspector/record/recordFile.ts"
import { launch, leave, open as openIn, pane, row, table } from "./Browser.ts"
import { shown, silent } from "./Shown.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let browser: Browser
let folder: string
beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "miniagents-page-"))
  browser = await launch()
})
afterAll(async () => {
  await browser?.close()
  fs.rmSync(folder, { recursive: true, force: true })
})

/** A gate that a program waits at until the test opens it. */
const gate = () => {
  const opened = Deferred.makeUnsafe<void>()
  return { passed: Deferred.await(opened), open: () => Deferred.doneUnsafe(opened, Effect.void) }
}

const open = (url: string): Promise<Page> => openIn(browser, url)

/** Runs a test on the page of a program. */
const onPage = <E>(
  program: Effect.Effect<unknown, E, MiniAgents.MiniAgents>,
  use: (page: Page, url: string) => Promise<void>
): Promise<void> =>
  shown(program, async (_, { url }) => {
    const page = await open(url)
    await use(page, url)
    await leave(page)
  })

const drained = (
  effect: Effect.Effect<{ readonly messages: Effect.Effect<unknown, unknown> }, never, MiniAgents.MiniAgents>
) => Effect.flatMap(effect, (replies) => replies.messages)

const worker = Agent.make("Worker", (ctx) => ctx.reply("done by a worker"))
const broken = Agent.make("Broken", () => Effect.die(new Error("no such page")))

describe("the page", () => {
  it("shows the tree of calls as it grows, and a failure up the tree", () => {
    const [first, second] = [gate(), gate()]
    const boss = Agent.make("Boss", (ctx) =>
      Effect.gen(function* () {
        yield* ctx.reply(yield* worker.trigger("work"))
        yield* Effect.withSpan(first.passed, "looks up", { attributes: { table: "people", password: "abc" } })
        yield* ctx.reply(yield* broken.trigger("work", {}, { errorsAsMessages: true }))
        yield* second.passed
      })
    )
    return onPage(drained(boss.trigger("go")), async (page) => {
      await row(page, "Worker").getByLabel("done").waitFor()
      await row(page, "Boss").getByLabel("running").waitFor()
      await row(page, "Boss").click()
      await page.getByRole("tab", { name: "Spans (2)" }).click()
      const span = pane(page).locator(".span", { hasText: "looks up" })
      await span.getByText("running").waitFor()
      await span.click()
      assert.match(await span.innerText(), /table\s+people\s+password\s+<redacted>/)
      first.open()
      await span.getByText(/^[\d.]+ m?s$/).waitFor()
      await row(page, "Broken").getByLabel("failed").waitFor()
      assert.match(await row(page, "Broken").innerText(), /no such page/)
      assert.match(await row(page, "Boss").innerText(), /1 failed/)
      assert.strictEqual(await page.locator(".agent.failing").innerText(), "Boss")
      second.open()
      await row(page, "Boss").getByLabel("done").waitFor()
      await row(page, "Broken").click()
      await page.getByRole("tab", { name: "Conversation" }).click()
      await pane(page).getByText("no such page").first().waitFor()
      assert.match(await pane(page).locator(".trouble").innerText(), /through Broken ← Boss/)
    })
  })

  it("shows tokens as they come, also after a reload in the middle and in a second tab that came late", () => {
    const gates = [gate(), gate(), gate()]
    const tokens = Stream.concat(
      Stream.make("one "),
      Stream.fromIterable(["two ", "three ", "four"]).pipe(
        Stream.zipWithIndex,
        Stream.mapEffect(([token, i]) => Effect.as(gates[i]!.passed, token))
      )
    )
    const speaker = Agent.make("Speaker", (ctx) =>
      Effect.flatMap(MessagePromise.fromStream(tokens), (promise) => ctx.reply(promise))
    )
    return onPage(drained(speaker.trigger("go")), async (page, url) => {
      await row(page, "Speaker").click()
      const text = (of: Page, expected: string) =>
        pane(of)
          .locator(".message pre", { hasText: new RegExp(`^${expected}$`) })
          .waitFor()
      await text(page, "one ")
      gates[0]!.open()
      await text(page, "one two ")
      await page.reload()
      await text(page, "one two ")
      gates[1]!.open()
      const late = await open(`${url}#call=0`)
      await Promise.all([text(page, "one two three "), text(late, "one two three ")])
      gates[2]!.open()
      await Promise.all([text(page, "one two three four"), text(late, "one two three four")])
      await Promise.all([
        row(page, "Speaker").getByLabel("done").waitFor(),
        row(late, "Speaker").getByLabel("done").waitFor()
      ])
      assert.deepStrictEqual(await table(page), await table(late))
      await leave(late)
    })
  })

  it("names calls that wait, and calls that wait for each other", () => {
    const letters = new Map<string, Effect.Effect<unknown, unknown>>()
    const ready = gate()
    const waiter = (name: string, other: string) =>
      Agent.make(name, (ctx) =>
        ready.passed.pipe(
          Effect.andThen(Effect.suspend(() => letters.get(other)!)),
          Effect.orDie,
          Effect.andThen(ctx.reply("x"))
        )
      )
    const program = Effect.gen(function* () {
      const [left, right] = [yield* waiter("Left", "Right").trigger(), yield* waiter("Right", "Left").trigger()]
      letters.set("Left", left.messages).set("Right", right.messages)
      ready.open()
      yield* left.messages
    })
    return onPage(program, async (page) => {
      await page.getByRole("alert").getByText("Deadlock").waitFor()
      assert.match(await page.getByRole("alert").innerText(), /Left waits for Right/)
      assert.match(await row(page, "Left").innerText(), /waits for Right/)
      await row(page, "Left").getByLabel("deadlocked").waitFor()
      await page.getByRole("button", { name: "Waiting" }).click()
      assert.strictEqual((await table(page)).length, 2)
    })
  })

  it("goes to any moment of the past and back to now", () => {
    const [first, second] = [gate(), gate()]
    const boss = Agent.make("Boss", (ctx) =>
      Effect.gen(function* () {
        yield* first.passed
        yield* ctx.reply(yield* worker.trigger("work"))
        yield* second.passed
      })
    )
    return onPage(drained(boss.trigger("go")), async (page) => {
      await row(page, "Boss").getByLabel("running").waitFor()
      const early = Number(await page.getByLabel("Moment").getAttribute("max"))
      await vi.waitFor(
        async () => assert.isAbove(Number(await page.getByLabel("Moment").getAttribute("max")), early + 20),
        10_000
      )
      first.open()
      await row(page, "Worker").getByLabel("done").waitFor()
      await page.getByLabel("Moment").fill(String(early))
      await page.getByText("in the past").waitFor()
      await row(page, "Worker").waitFor({ state: "detached" })
      assert.match(page.url(), new RegExp(`t=${early}`))
      await page.keyboard.press("Escape")
      await page.keyboard.press("l")
      await row(page, "Worker").waitFor()
      second.open()
      await row(page, "Boss").getByLabel("done").waitFor()
    })
  })

  it("finds what was said, and goes to it", () => {
    const talker = Agent.make("Talker", (ctx) => ctx.reply(["some hay", "a needle in it", "more hay"]))
    return onPage(drained(talker.trigger("go")), async (page) => {
      await row(page, "Talker").waitFor()
      await page.keyboard.press("/")
      await page.keyboard.type("NEEDLE")
      const found = page.getByLabel("Found").getByRole("button")
      await found.waitFor()
      assert.match(await found.innerText(), /Talker\s+a needle in it/)
      await found.click()
      await pane(page).getByText("a needle in it").waitFor()
      assert.match(page.url(), /call=0/)
    })
  })

  it("works from the keyboard", () => {
    const boss = Agent.make("Boss", (ctx) =>
      Effect.gen(function* () {
        yield* ctx.reply(yield* worker.trigger("1"))
        yield* ctx.reply(yield* broken.trigger("2", {}, { errorsAsMessages: true }))
      })
    )
    return onPage(drained(boss.trigger("go")), async (page) => {
      await row(page, "Broken").waitFor()
      const selected = () => page.locator(".row[aria-selected=true] .agent").innerText()
      const press = async (...keys: ReadonlyArray<string>) => {
        for (const key of keys) await page.keyboard.press(key)
        await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
      }
      await press("ArrowDown", "j")
      assert.strictEqual(await selected(), "Worker")
      await press("ArrowLeft")
      assert.strictEqual(await selected(), "Boss")
      await press("ArrowLeft")
      assert.strictEqual((await table(page)).length, 1)
      assert.strictEqual(await row(page, "Boss").getAttribute("aria-expanded"), "false")
      await press("ArrowRight", "n")
      assert.strictEqual(await selected(), "Broken")
      await press("f")
      assert.strictEqual((await table(page)).length, 2)
      await press("a", "?")
      await page.getByRole("dialog").waitFor()
      await press("Escape", "Escape")
      await page.getByRole("heading", { name: "Totals" }).waitFor()
      await press("t")
      assert.match((await page.locator("html").getAttribute("data-theme")) ?? "", /light|dark/)
    })
  })

  it("keeps what it has when the server is gone, and takes it up again when that is back", async () => {
    const token = Redacted.make("one and the same")
    let port = 0
    let page: Page | undefined
    const once = (agent: string, options: { readonly port?: number }, use: (url: string) => Promise<void>) =>
      shown(drained(Agent.make(agent, (ctx) => ctx.reply("x")).trigger("go")), (_, { url }) => use(url), {
        token,
        ...options
      })
    await once("Before", {}, async (url) => {
      port = Number(new URL(url).port)
      page = await open(url)
      await row(page, "Before").waitFor()
    })
    await page!.getByText("connection lost").waitFor()
    assert.deepStrictEqual(await table(page!), ["✓\nBefore"])
    await once("After", { port }, async () => {
      await row(page!, "After").waitFor()
      assert.deepStrictEqual(await table(page!), ["✓\nAfter"])
    })
    await leave(page!)
  })

  it("shows two recorded runs side by side, with the first difference", async () => {
    const files = ["this answer", "that answer"].map((answer, i) => ({
      answer,
      file: path.join(folder, `run${i}.ndjson`)
    }))
    for (const { answer, file } of files) {
      const talker = Agent.make("Talker", (ctx) =>
        Effect.flatMap(worker.trigger("x"), (replies) => ctx.reply([replies, answer]))
      )
      const isOver = async (page: Page) => row(page, "Talker").getByLabel("done").waitFor()
      await shown(drained(talker.trigger("go")), async (_, { url }) => isOver(await open(url)), { record: file })
    }
    const recordings = await Effect.runPromise(Effect.forEach(files, ({ file }) => RecordFile.read(file)))
    const both = recordings.map((recording, i) => ({
      recording,
      about: () => ({ id: `run ${i}`, title: "talk", startedAt: 0, live: false }),
      now: () => recording.now
    }))
    await Effect.gen(function* () {
      const { url } = yield* Inspector.Inspector
      yield* Effect.promise(async () => {
        const page = await open(url)
        await page.getByRole("button", { name: "Compare" }).click()
        await page.getByText("1 of 2 calls are the same").waitFor()
        const changed = page.locator(".compared.changed")
        assert.match(await changed.innerText(), /Talker\s+Talker\s+message 2 replied\s+this answer\s+that answer/)
        await page.getByLabel("Run").selectOption("run 1")
        await changed.getByText("that answer").first().waitFor()
        await leave(page)
      })
    }).pipe(Effect.provide(Layer.provide(Inspector.layerRecordings(both, {}), silent)), Effect.runPromise)
  })

  describe("talks with agents", () => {
    const parrot = Agent.make(
      "Parrot",
      { description: "Says it again", parameters: { times: Schema.Int } },
      Effect.fnUntraced(function* (ctx) {
        const heard = yield* ctx.messages.messages
        const last = String(heard.at(-1))
        yield* ctx.reply(yield* worker.trigger("help"))
        yield* ctx.reply(`${heard.length}: ${`${last} `.repeat(ctx.parameters.times).trim()}`)
        if (last === "fail") return yield* Effect.die(new Error("that was too much"))
        if (last === "hang") return yield* Effect.never
      })
    )
    const say = async (page: Page, text: string) => {
      await page.getByLabel("Say to Parrot").fill(text)
      await page.keyboard.press("Enter")
    }
    const heard = (page: Page, text: string) => pane(page).locator(".message pre", { hasText: text }).last().waitFor()

    it("whole conversations: the calls are in the tree, and a turn can be said anew", () =>
      onPage(drained(parrot.trigger("first", { times: 1 })), async (page, url) => {
        await row(page, "Parrot").getByLabel("done").waitFor()
        await page.keyboard.press("c")
        await page.getByLabel("Agent to talk with").selectOption("Parrot")
        await page.getByLabel("Parameters, as JSON").fill('{ "times": 2 }')
        await say(page, "hello")
        await heard(page, "1: hello hello")
        assert.deepStrictEqual(await table(page), ["▾\n✓\nParrot", "✓\nWorker", "▾\n✓\nParrot", "✓\nWorker"])
        await say(page, "again")
        await heard(page, "4: again again") // the user's, two replies, the user's
        await page.getByRole("button", { name: "Edit" }).first().click()
        assert.strictEqual(await page.getByLabel("Say to Parrot").inputValue(), "hello")
        await say(page, "hullo")
        await heard(page, "1: hullo hullo")
        assert.strictEqual(await pane(page).locator(".turn").count(), 1)
        // a second tab, and the same after a reload, show the same conversation
        const late = await open(page.url())
        await heard(late, "1: hullo hullo")
        await leave(late)
        await page.reload()
        await heard(page, "1: hullo hullo")
        assert.notStrictEqual(page.url(), url)
      }))

    it("what an agent cannot take, fails with, or does not end is seen, and can be stopped", () =>
      onPage(drained(parrot.trigger("first", { times: 1 })), async (page) => {
        await row(page, "Parrot").getByLabel("done").waitFor()
        await page.getByRole("button", { name: "Chat" }).click()
        await page.getByLabel("Agent to talk with").selectOption("Parrot")
        await page.getByLabel("Parameters, as JSON").fill('{ "times": "x" }')
        await say(page, "hello")
        assert.match(await page.getByRole("alert").innerText(), /`parameters` do not fit: `times`/)
        await page.getByLabel("Parameters, as JSON").fill('{ "times": 1 }')
        await say(page, "fail")
        await pane(page).locator(".trouble", { hasText: "that was too much" }).waitFor()
        await say(page, "hang") // goes on from what was said before the failure
        await heard(page, "4: hang")
        await page.getByRole("button", { name: "Stop" }).click()
        await pane(page).getByText("was stopped").waitFor()
        await say(page, "well")
        await heard(page, "7: well")
      }))

    it("what a tool may do is approved, edited or denied", async () => {
      const toolkit = Toolkit.make(
        Tool.make("Remove", {
          parameters: Schema.Struct({ what: Schema.String }),
          success: Schema.String,
          needsApproval: true
        })
      )
      const removed: Array<string> = []
      const tools = toolkit.toLayer({ Remove: ({ what }) => Effect.sync(() => (removed.push(what), `no ${what}`)) })
      const { text, toolCall, turn } = ScriptedModel
      const asks = turn(toolCall("Remove", { what: "all" }))
      const model = ScriptedModel.layer([asks, turn(text("one")), asks, turn(text("two")), asks, turn(text("three"))])
      const clerk = LlmAgent.make("Clerk", { toolkit })
      const program = clerk.trigger("begin").pipe(
        Effect.flatMap((replies) => replies.messages),
        Effect.provide([model, tools])
      )
      await onPage(program, async (page) => {
        await row(page, "Clerk").getByLabel("done").waitFor()
        await page.keyboard.press("c")
        const ask = async () => {
          await page.getByLabel("Say to Clerk").fill("clean up")
          await page.keyboard.press("Enter")
          await page.getByLabel("Approval of Remove").waitFor()
        }
        await ask()
        await page.getByText("Waiting for you").waitFor()
        const parameters = page.getByLabel("Approval of Remove").getByLabel("Parameters, as JSON")
        await parameters.fill('{ "what": "little" }')
        await page.getByRole("button", { name: "Approve as edited" }).click()
        await pane(page).getByText("two").waitFor()
        await ask()
        await page.getByLabel("Why not").fill("keep it")
        await page.getByRole("button", { name: "Deny" }).click()
        await pane(page).getByText("three").waitFor()
        assert.deepStrictEqual(removed, ["little"])
        assert.strictEqual(await page.getByText("Waiting for you").count(), 0)
      })
    })
  })

  it("is at most 40 kB, compressed, and asks nobody but its server for anything", () =>
    onPage(drained(worker.trigger("go")), async (page) => {
      const size = ["page.js", "page.css"].reduce(
        (sum, name) => sum + gzipSync(fs.readFileSync(path.join(BuiltPage.folder, name))).length,
        0
      )
      assert.isBelow(size, 40_000)
      const asked: Array<string> = []
      page.on("request", (request) => asked.push(request.url()))
      await page.reload()
      await row(page, "Worker").waitFor()
      const { origin } = new URL(page.url())
      assert.deepStrictEqual(
        asked.filter((url) => !url.startsWith(origin)),
        []
      )
    }))
})
