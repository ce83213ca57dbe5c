import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import chromium from "@sparticuz/chromium"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { build } from "esbuild"
import { Agent } from "miniagents"
import { AiSdk } from "miniagents/serve"
import { chromium as browsers, type Page } from "playwright-core"
import { manager } from "./Assistant.ts"
import { serve } from "./Server.ts"

const from = <A>(promise: () => Promise<A>) => Effect.promise(promise)

/** The page as one script. */
const bundle = from(async () => {
  const entry = fileURLToPath(new URL("page.ts", import.meta.url))
  const define = { "process.env.NODE_ENV": '"production"' }
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, minify: true, define })
  return outputFiles[0]!.text.replaceAll("</script", "<\\/script")
})

const browser = Effect.acquireRelease(
  from(async () =>
    browsers.launch({ executablePath: await chromium.executablePath(), args: chromium.args, headless: true })
  ),
  (browser) => from(() => browser.close())
)

/** The texts of the parts that a page shows, once the last one of them is there. */
const shows = (page: Page, last: string) =>
  from(async () => {
    await page.getByText(last, { exact: true }).waitFor({ timeout: 30_000 })
    return page.locator("p").allTextContents()
  })

describe("useChat in a browser", () => {
  it.live(
    "asks, approves, is loaded again in the middle of a reply, and shows all of it once",
    () =>
      Effect.gen(function* () {
        const goesOn = yield* Deferred.make<void>()
        const slow = Agent.make(
          "Slow",
          Effect.fnUntraced(function* (ctx) {
            yield* ctx.reply("first")
            yield* Deferred.await(goesOn)
            yield* ctx.reply("second")
          })
        )
        const html = `<!doctype html><meta charset="utf-8"><div id="page"></div><script>${yield* bundle}</script>`
        const page = (path: `/${string}`) => HttpRouter.add("GET", path, Effect.succeed(HttpServerResponse.html(html)))
        const { url } = yield* serve(
          Layer.mergeAll(
            AiSdk.layer("/manager", manager),
            AiSdk.layer("/slow", slow),
            page("/manager/page"),
            page("/slow/page")
          ) as never // a page of the test needs nothing else
        )
        const tab = yield* Effect.flatMap(browser, (browser) => from(() => browser.newPage()))

        yield* from(() => tab.goto(`${url}/manager/page`))
        yield* from(() => tab.click("#send"))
        yield* from(() => tab.click("#approve"))
        assert.deepStrictEqual(yield* shows(tab, "all clean"), [
          "go",
          "tool-Cleaner output-available",
          "tool-DeleteFile output-available",
          "done",
          "all clean"
        ])

        yield* from(() => tab.goto(`${url}/slow/page`))
        yield* from(() => tab.click("#send"))
        assert.deepStrictEqual(yield* shows(tab, "first"), ["go", "first"])
        yield* from(() => tab.reload())
        assert.deepStrictEqual(yield* shows(tab, "first"), ["first"])
        yield* Deferred.succeed(goesOn, undefined)
        assert.deepStrictEqual(yield* shows(tab, "second"), ["first", "second"])
        yield* from(() => tab.getByText("ready", { exact: true }).waitFor())
      }),
    60_000
  )
})
