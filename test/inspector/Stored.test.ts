/** Runs and conversations of a store: as recordings, and on the page of a real browser. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Browser, Page } from "playwright-core"
import { Agent, Message, MiniAgents, type Transcript } from "miniagents"
import { DurableRuns } from "miniagents/durable"
import { Inspector } from "miniagents/inspector"
import { Runs } from "miniagents/runs"
import { SqliteClient } from "miniagents/sqlite"
import { Conversation, Store } from "miniagents/store"
import { folded } from "../../src/durable/recorder.ts"
import type { LogRow, Run } from "../../src/durable/tables.ts"
import { Recording } from "../../src/inspector/record/recording.ts"
import { RunEvents } from "../../src/inspector/stored/runEvents.ts"
import * as Agents from "../cli/runs.agents.ts"
import * as Program from "../cli/Program.ts"
import { law } from "../laws/Law.ts"
import { launch, leave, open, pane, row, table } from "./Browser.ts"
import { shown, silent } from "./Shown.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const run: Run = {
  ...{ n: 1, id: "r", agent: "Root", status: "running", epoch: 1, lease: 0, startedAt: 7 },
  ...{ endedAt: undefined, parameters: `{"a":1}`, waiting: [], source: undefined }
}

/** What is told of the rows of a log, which come in parts. */
const recorded = (rows: ReadonlyArray<LogRow>, parts: number, row: Partial<Run> = {}): Recording => {
  const recording = new Recording()
  const events = new RunEvents()
  for (let i = 0; i < rows.length; i += parts)
    for (const event of events.take({ ...run, ...row }, rows.slice(i, i + parts))) recording.add(event)
  return recording
}

const rowsOf = (events: ReadonlyArray<Transcript.Event>): ReadonlyArray<LogRow> =>
  events.map((event, i) => ({ seq: i + 1, kind: "events", body: JSON.stringify([event]) }))

/** The messages of a transcript, as they stand at its end. */
const textsIn = (events: ReadonlyArray<Transcript.Event>): ReadonlyArray<string> => {
  const texts: Array<string> = []
  for (const event of folded(events)) {
    if (event._tag === "open") texts.push("")
    else if (event._tag === "text") texts[texts.length - 1] += event.text
  }
  return texts
}

/** A producer that says some texts, and now and then begins anew somewhere. */
const Said = Schema.Array(
  Schema.Struct({
    text: Schema.String.check(Schema.isMaxLength(6)),
    back: Schema.optionalKey(Schema.Struct({ at: Schema.Int, to: Schema.Int }))
  })
)

const produced = (said: typeof Said.Type): ReadonlyArray<Transcript.Event> => {
  const events: Array<Transcript.Event> = []
  let texts: Array<string> = []
  let isOpen = false
  const close = () => {
    if (isOpen) events.push({ _tag: "message", at: texts.length - 1, message: { _tag: "Text" }, hashKey: "h" })
    isOpen = false
  }
  for (const { back, text } of said) {
    if (back !== undefined && texts.length > 0) {
      const at = Math.abs(back.at) % texts.length
      const to = Math.abs(back.to) % (texts[at]!.length + 1)
      events.push({ _tag: "reset", at, to })
      isOpen = to > 0
      texts = to > 0 ? [...texts.slice(0, at), texts[at]!.slice(0, to)] : texts.slice(0, at)
    } else close()
    if (!isOpen) {
      events.push({ _tag: "open", at: texts.length, known: { _tag: "Text" }, origin: { path: "Root/0:A", agent: "A" } })
      texts.push("")
      isOpen = true
    }
    const at = texts.length - 1
    texts[at] += text
    if (text !== "") events.push({ _tag: "text", at, to: texts[at]!.length, text })
  }
  close()
  return [...events, { _tag: "end" }]
}

describe("runs of a store", () => {
  law(
    "a recording has what a run said in the end, however often it began anew and in which parts it was read",
    { said: Said, parts: Schema.Int },
    ({ parts, said }) =>
      Effect.sync(() => {
        const events = produced(said)
        const recording = recorded(rowsOf(events), 1 + (Math.abs(parts) % 5))
        const texts = recording.calls[0]!.replied.map((at) => recording.messages[at]!.text)
        assert.deepStrictEqual(texts, textsIn(events))
        for (const { replied } of recording.calls.slice(1)) assert.deepStrictEqual(replied, recording.calls[0]!.replied)
        assert.strictEqual(
          recording.calls[1]?.chars ?? 0,
          texts.reduce((sum, text) => sum + text.length, 0)
        )
        assert.isTrue(recording.calls.every(({ returned, spoken }) => returned !== undefined && spoken !== undefined))
      }),
    { seeds: 80 }
  )

  it("its calls are those that said or asked something, with what they were answered, and what is waited for", () => {
    const finish = {
      type: "finish",
      reason: "stop",
      usage: { inputTokens: { total: 9, cacheRead: 3 }, outputTokens: { total: 2 } }
    }
    const answer = (path: string, what: string, value: Schema.Json, reused?: true) => ({
      path,
      what,
      hash: "",
      n: 0,
      value,
      ...(reused && { reused })
    })
    const rows: ReadonlyArray<LogRow> = [
      answer("Root/0:A%2FB/1:C", "model", { parts: [{ type: "text-deltas", id: "1", deltas: ["he", "y"] }, finish] }),
      answer("Root/0:A%2FB#race.0.1", "step", 7, true)
    ].map((body, i) => ({ seq: i + 1, kind: "answer", body: JSON.stringify(body) }))
    const waiting = [{ name: "approval", path: "Root/2:D", asks: { what: "?" }, takes: {} }]
    const { calls, requests } = recorded(rows, 9, { waiting })
    assert.deepStrictEqual(
      calls.map(({ agent, path, parent }) => [agent, path, parent]),
      [
        ["Root", "Root", undefined],
        ["A/B", "Root/0:A%2FB", 0],
        ["C", "Root/0:A%2FB/1:C", 1],
        ["D", "Root/2:D", 0]
      ]
    )
    assert.deepInclude(requests[0]!, {
      call: 2,
      reason: "stop",
      usage: { inputTokens: 9, outputTokens: 2, cacheReadTokens: 3 }
    })
    assert.deepStrictEqual(calls[1]!.kept, [{ what: "step", value: 7, reused: true }])
    assert.deepStrictEqual(calls[0]!.asks, [{ name: "approval", path: "Root/2:D", asks: { what: "?" } }])
    assert.deepStrictEqual(calls[0]!.parameters, { a: 1 })
  })
})

describe("the page of a store", () => {
  let browser: Browser
  let folder: string
  let services: Layer.Layer<Runs.Runs | DurableRuns.DurableRuns | Store.Store | MiniAgents.MiniAgents, unknown>
  beforeAll(async () => {
    folder = Program.makeFolder()
    const sqlite = Layer.suspend(() => SqliteClient.layer({ filename: path.join(folder, "runs.db") }))
    services = Layer.mergeAll(
      DurableRuns.layer().pipe(Layer.provideMerge(Store.layer()), Layer.provide(sqlite)),
      MiniAgents.layer()
    )
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    fs.rmSync(folder, { recursive: true, force: true })
  })

  const choose = async (page: Page, run: string): Promise<void> => {
    const option = page.getByLabel("Run", { exact: true }).locator("option", { hasText: run })
    await option.waitFor({ state: "attached" })
    await page.getByLabel("Run", { exact: true }).selectOption((await option.getAttribute("value"))!)
  }

  it("runs are looked at, answered, stopped and begun again with other words; conversations are forked", () =>
    Effect.gen(function* () {
      yield* Runs.start(Agents.greeter, "greet me", {}, { id: "greeting" })
      yield* Stream.runDrain(Runs.read("greeting"))
      for (const id of ["clerk-1", "clerk-2"]) {
        yield* Runs.start(Agents.clerk, "tidy up", {}, { id })
        yield* Effect.repeat(Effect.andThen(Effect.yieldNow, Runs.get(id)), {
          until: ({ waiting }) => waiting.length > 0
        })
      }
      yield* Conversation.append(
        "support/42",
        ["Hello", "How are you?", "Well"].map((text) => Message.user(text))
      )
      const { url } = yield* Inspector.Inspector
      yield* Effect.promise(async () => {
        const page = await open(browser, url)
        await choose(page, "clerk-1 · waiting")
        await page.getByText("Waiting for you").waitFor()
        await row(page, "Clerk").click()
        await page.getByLabel("Approval of Remove").getByLabel("Parameters, as JSON").fill(`{ "what": "b.txt" }`)
        await page.getByRole("button", { name: "Approve as edited" }).click()
        await pane(page).getByText("b.txt is gone").waitFor()
        await row(page, "Clerk").getByLabel("done").waitFor()
        // any moment of it, by what was kept until then
        await page.getByLabel("Moment").fill("1")
        await page.getByText("in the past").waitFor()
        assert.strictEqual(await pane(page).getByText("b.txt is gone").count(), 0)
        await page.keyboard.press("Escape")
        await page.keyboard.press("l")

        await choose(page, "clerk-2 · waiting")
        await row(page, "Clerk").click()
        await page.getByRole("button", { name: "Stop" }).click()
        await row(page, "Clerk").getByLabel("interrupted").waitFor()

        await choose(page, "greeting · succeeded")
        await row(page, "Greeter").click()
        await pane(page).getByText("Hello!").waitFor()
        await page.getByRole("tab", { name: "Requests (1)" }).click()
        await pane(page).getByLabel("Response").getByText("Hello!").waitFor()
        await page.getByRole("tab", { name: "Details" }).click()
        assert.match(await pane(page).locator(".facts").innerText(), /Began\n.+\nTook\n[\d.]+ m?s\n.*/)
        await page.getByRole("button", { name: "Run again…" }).click()
        await page.getByLabel("Message 1").fill("please greet her")
        await pane(page).getByLabel("Parameters, as JSON").fill(`{ "system": "Be polite" }`)
        await page.getByRole("button", { name: "Run again", exact: true }).click()
        await row(page, "Greeter").getByLabel("done").waitFor()
        await row(page, "Greeter").click()
        await pane(page).getByText("please greet her").waitFor()
        assert.notInclude(page.url(), "greeting")

        await choose(page, "support/42")
        await row(page, "support/42").click()
        await pane(page).getByRole("button", { name: "Fork here" }).nth(1).click()
        await page.getByLabel("Name of the new conversation").fill("support/42")
        await page.getByRole("button", { name: "Fork", exact: true }).click()
        await pane(page).getByRole("alert").waitFor() // there is one of that name
        await page.getByLabel("Name of the new conversation").fill("support/43")
        await page.getByRole("button", { name: "Fork", exact: true }).click()
        await page
          .getByLabel("Run", { exact: true })
          .locator("option", { hasText: "support/43 · 2 messages, from support/42" })
          .waitFor({ state: "attached" })
        assert.deepStrictEqual(await table(page), ["✓\nsupport/43"])
        await leave(page)
      })
      const texts = (yield* Conversation.messages("support/43")).map(String)
      assert.deepStrictEqual(texts, ["Hello", "How are you?"])
      const statuses = (yield* Runs.list).map(({ agent, status }) => [agent, status])
      assert.deepStrictEqual(statuses, [
        ["Greeter", "succeeded"],
        ["Clerk", "succeeded"],
        ["Clerk", "interrupted"],
        ["Greeter", "succeeded"]
      ])
    }).pipe(
      Effect.provide(
        Inspector.layerStore([Agents.clerk, Agents.greeter]).pipe(
          Layer.provide(silent),
          Layer.provideMerge(Layer.merge(Agents.layer, services))
        )
      ),
      Effect.scoped,
      Effect.runPromise
    ))

  it("a program that works with a store shows its runs and those that were before", () => {
    const asks = Agent.make("Asks", (ctx) => Effect.flatMap(Runs.wait("go", Schema.Int), (n) => ctx.reply(`${n}`)))
    const program = Effect.gen(function* () {
      yield* Runs.start(asks, "x", {}, { id: "asking" })
      return yield* Effect.never // the store ends with the program
    })
    const stores = Layer.provideMerge(DurableRuns.layer(), Store.layerMemory)
    return shown(Effect.provide(program, stores), async (_, { url }) => {
      const page = await open(browser, url)
      await row(page, "Asks").click()
      const signal = pane(page).getByLabel("Signal go")
      await signal.getByLabel("Value, as JSON").fill(`"no number"`)
      await signal.getByRole("button", { name: "Send" }).click()
      assert.match(await signal.getByRole("alert").innerText(), /does not fit what `asking` waits for/)
      await signal.getByLabel("Value, as JSON").fill("7")
      await signal.getByRole("button", { name: "Send" }).click()
      await row(page, "Asks").getByLabel("done").waitFor()
      await page.getByRole("button", { name: "Run again…" }).click()
      await page.getByLabel("Message 1").fill("y")
      await page.getByRole("button", { name: "Run again", exact: true }).click()
      await page.waitForURL(({ hash }) => hash.includes("run=run")) // the new one is shown
      await page.getByLabel("Run", { exact: true }).selectOption("live")
      await vi.waitFor(async () => assert.strictEqual((await table(page)).length, 2), 10_000)
      await leave(page)
    })
  })
})
