/**
 * Takes the pictures of the inspector in docs/: a newsroom of agents on scripted models, shown in a real browser.
 *
 * Run: node --conditions=miniagents-source scripts/inspector-pictures.ts
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import chromium from "@sparticuz/chromium"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { type Browser, chromium as playwright } from "playwright-core"
import { Agent, MiniAgents } from "miniagents"
import { Inspector } from "miniagents/inspector"
import { Budget, LlmAgent } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"
import * as Recordings from "../src/inspector/record/recordFile.ts"
import * as Page from "./Page.ts"

const docs = fileURLToPath(new URL("../docs", import.meta.url))
const { pause, reasoning, tokens, toolCall, turn, usage } = ScriptedModel

/** Words that come one by one. */
const spoken = (words: string, every: number) => tokens(words.split(/(?<= )/), every)

const toolkit = Toolkit.make(
  Tool.make("archive", {
    description: "Finds articles of the archive",
    parameters: Schema.Struct({ query: Schema.String }),
    success: Schema.Array(Schema.String)
  })
)
const archive = toolkit.toLayer({
  archive: ({ query }) =>
    Effect.as(Effect.sleep("350 millis"), [`1969: ${query}, seen from the ground`, `1971: What ${query} has cost`])
})

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { source: Schema.String }) {
  override get message(): string {
    return `nothing in \`${this.source}\` says so`
  }
}

/** Whether the first of what a person asks has a word. */
const asksFor = (word: string) => (request: ScriptedModel.Request) =>
  /user: [^\n]*/.exec(request.text)?.[0].includes(word) === true
/** A turn for a request in which a person asks for something with a word in it. */
const when = (asks: (request: ScriptedModel.Request) => boolean, ...steps: ReadonlyArray<ScriptedModel.Step>) =>
  ScriptedModel.when(turn(...steps), asks)

const model = (ending: string) =>
  ScriptedModel.layer(
    [
      when(
        asksFor("landing"),
        reasoning("The archive has the newspapers of that week. "),
        pause(200),
        toolCall("archive", { query: "the landing" }),
        usage(812, 96)
      ),
      when(
        asksFor("landing"),
        spoken("The landing was seen by one person in five, and for most of them in black and white.", 250),
        usage(1_130, 58)
      ),
      when(asksFor("cost"), pause(300), toolCall("archive", { query: "the programme" }), usage(804, 61)),
      when(
        asksFor("cost"),
        spoken("The programme took four cents of each dollar in 1966, and half of that five years later.", 300),
        usage(1_090, 63)
      ),
      when(
        asksFor("Write"),
        reasoning("Two findings, one of them about money. "),
        spoken(ending, 120),
        usage(2_340, 212)
      )
    ],
    { name: "scripted-large" }
  )

const price: Budget.Price = ({ inputTokens, outputTokens }) => (inputTokens * 2 + outputTokens * 10) / 1_000_000

const researcher = LlmAgent.make("Researcher", { system: "You find facts.", toolkit })
const writer = LlmAgent.make("Writer", { system: "Write what was found." })
const checker = Agent.make("FactChecker", { parameters: { source: Schema.String } }, (ctx) =>
  Effect.gen(function* () {
    yield* ctx.messages.text
    yield* Effect.sleep("400 millis")
    if (ctx.parameters.source === "almanac") return yield* new NotFound({ source: ctx.parameters.source })
    yield* ctx.reply(`confirmed by the ${ctx.parameters.source}`)
  })
)
const editor = Agent.make("Editor", { description: "Turns a question into an article" }, (ctx) =>
  Effect.gen(function* () {
    const landing = yield* researcher.trigger(["What did people see of the landing?"])
    const cost = yield* researcher.trigger(["What did it cost?"])
    const checks = [
      yield* checker.trigger(landing, { source: "newspapers" }, { errorsAsMessages: true }),
      yield* checker.trigger(cost, { source: "almanac" }, { errorsAsMessages: true })
    ]
    yield* ctx.reply([checks, yield* writer.trigger(["Write an article", landing, cost])])
  })
)

/** Runs the newsroom beside an inspector, once the page is ready for it, and what is done with the page meanwhile. */
const newsroom = (ending: string, options: Inspector.Options, ready: (url: string) => Promise<() => Promise<void>>) =>
  Effect.gen(function* () {
    const { url } = yield* Inspector.Inspector
    const look = yield* Effect.promise(() => ready(url))
    const looking = yield* Effect.forkChild(Effect.promise(look))
    yield* Effect.flatMap(editor.trigger("Was it worth it?"), (replies) => replies.messages)
    yield* Fiber.join(looking)
  }).pipe(
    Effect.provide([model(ending), archive, MiniAgents.layer().pipe(Layer.provideMerge(Inspector.layer(options)))]),
    Effect.provideService(Budget.CurrentPrice, price),
    Effect.scoped
  )

const first = "Was it worth it? Those who saw it say yes, and those who paid for it were the same people."
const second = "Was it worth it? Those who saw it say yes, and nobody has asked those who paid for it."

const open = async (browser: Browser, url: string, colorScheme: "light" | "dark") => {
  const page = await browser.newPage({ viewport: { width: 1360, height: 720 }, deviceScaleFactor: 1.5, colorScheme })
  await page.goto(url)
  return page
}

const row = (agent: string, n = 0) => `.row:has(.agent:text-is("${agent}")) >> nth=${n}`

const take = async (browser: Browser, folder: string): Promise<void> => {
  const [one, two] = [join(folder, "first.ndjson"), join(folder, "second.ndjson")]
  await Effect.runPromise(
    newsroom(first, { title: "newsroom.ts", record: one }, async (url) => {
      const page = await open(browser, url, "light")
      return async () => {
        await page.click(row("Researcher"))
        await page.getByText("waits for").first().waitFor()
        await page.getByText("one person in").waitFor()
        await page.screenshot({ path: join(docs, "inspector-live.png") })
        await page.close()
      }
    })
  )
  await Effect.runPromise(newsroom(second, { title: "newsroom.ts", record: two }, async () => async () => {}))
  const recordings = await Effect.runPromise(Effect.forEach([one, two], Recordings.read))
  const shown = recordings.map((recording, i) => ({
    recording,
    about: () => ({ id: ["first", "second"][i]!, title: recording.title, startedAt: recording.startedAt, live: false }),
    now: () => recording.now
  }))
  await Effect.runPromise(
    Effect.gen(function* () {
      const { url } = yield* Inspector.Inspector
      yield* Effect.promise(async () => {
        const page = await open(browser, url, "dark")
        await page.click(row("FactChecker", 1))
        await page.getByRole("tab", { name: "Details" }).click()
        await page.getByText("Stack").waitFor()
        await page.screenshot({ path: join(docs, "inspector-failed.png") })
        await page.getByRole("button", { name: "Compare" }).click()
        await page.getByText("calls are the same").waitFor()
        await page.emulateMedia({ colorScheme: "light" })
        await page.screenshot({ path: join(docs, "inspector-compare.png") })
      })
    }).pipe(Effect.provide(Inspector.layerRecordings(shown, {})))
  )
}

const folder = mkdtempSync(join(tmpdir(), "miniagents-pictures-"))
await Page.write()
const browser = await playwright.launch({
  args: chromium.args.filter((arg) => arg !== "--single-process"),
  executablePath: await chromium.executablePath(),
  headless: true
})
await take(browser, folder)
await browser.close()
rmSync(folder, { recursive: true, force: true })
