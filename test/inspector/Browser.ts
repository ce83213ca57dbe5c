/** A real browser, and what a person finds on the page of the inspector. */
import { assert } from "@effect/vitest"
import chromium from "@sparticuz/chromium"
import { type Browser, chromium as playwright, type Locator, type Page } from "playwright-core"
import * as BuiltPage from "../../scripts/Page.ts"

/** Starts it, when the page is built. */
export const launch = async (): Promise<Browser> => {
  await BuiltPage.write()
  return playwright.launch({
    args: chromium.args.filter((arg) => arg !== "--single-process"), // with it the first page that closes ends all
    executablePath: await chromium.executablePath(),
    headless: true
  })
}

/** The pages that a test has done with: to make another one takes longer than most tests. */
const idle = new WeakMap<Browser, Array<Page>>()

/** Opens a page, on which nothing may go wrong; it may have been that of a test before. */
export const open = async (browser: Browser, url: string): Promise<Page> => {
  const page = idle.get(browser)?.pop() ?? (await make(browser))
  await page.goto(url)
  return page
}

const make = async (browser: Browser): Promise<Page> => {
  const page = await browser.newPage({ viewport: { width: 1360, height: 800 }, reducedMotion: "reduce" })
  page.setDefaultTimeout(15_000)
  page.on("pageerror", (error) => assert.fail(`the page failed: ${error.stack}`))
  return page
}

/** Leaves a page to the next test. */
export const leave = async (page: Page): Promise<void> => {
  await page.goto("about:blank")
  const browser = page.context().browser()!
  idle.set(browser, [...(idle.get(browser) ?? []), page])
}

/** The row of an agent in the table of calls. */
export const row = (page: Page, name: string): Locator =>
  page.getByRole("row").filter({ has: page.locator(".agent", { hasText: name }) })

/** What stands beside the table. */
export const pane = (page: Page): Locator => page.getByRole("complementary")

/** What a person sees of the calls. */
export const table = (page: Page): Promise<ReadonlyArray<string>> => page.locator(".canvas .row .name").allInnerTexts()
