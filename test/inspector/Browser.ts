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

/** Opens a page, on which nothing may go wrong. */
export const open = async (browser: Browser, url: string): Promise<Page> => {
  const page = await browser.newPage({ viewport: { width: 1360, height: 800 } })
  page.setDefaultTimeout(15_000)
  page.on("pageerror", (error) => assert.fail(`the page failed: ${error.stack}`))
  await page.goto(url)
  return page
}

/** The row of an agent in the table of calls. */
export const row = (page: Page, name: string): Locator =>
  page.getByRole("row").filter({ has: page.locator(".agent", { hasText: name }) })

/** What stands beside the table. */
export const pane = (page: Page): Locator => page.getByRole("complementary")

/** What a person sees of the calls. */
export const table = (page: Page): Promise<ReadonlyArray<string>> => page.locator(".canvas .row .name").allInnerTexts()
