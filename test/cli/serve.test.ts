/** `miniagents serve`: a file of agents in every protocol, with a page that is opened in a real browser. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import chromium from "@sparticuz/chromium"
import { type Browser, chromium as playwright } from "playwright-core"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
const agents = fileURLToPath(new URL("serve.agents.ts", import.meta.url))

interface Running {
  readonly child: ChildProcess
  readonly said: () => string
  readonly ended: Promise<number | null>
}

const start = (...words: ReadonlyArray<string>): Running => {
  const child = spawn(process.execPath, ["--conditions=miniagents-source", "--no-warnings", main, "serve", ...words], {
    env: { PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? "" },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let said = ""
  child.stdout.on("data", (data) => (said += String(data)))
  child.stderr.on("data", (data) => (said += String(data)))
  return { child, said: () => said, ended: new Promise((resolve) => child.on("close", resolve)) }
}

/** The address that it prints. */
const addressOf = ({ child, ended, said }: Running): Promise<string> =>
  new Promise((resolve, reject) => {
    const look = () => {
      const [, url] = /page +(http:\/\/\S+)/.exec(said()) ?? []
      if (url !== undefined) resolve(url)
    }
    child.stdout?.on("data", look)
    void ended.then(() => reject(new Error(said())))
  })

const refused = async (...words: ReadonlyArray<string>) => {
  const { ended, said } = start(...words)
  return [await ended, said().trim()] as const
}

const json = { "content-type": "application/json" }

describe("miniagents serve", { timeout: 60_000 }, () => {
  let server: Running
  let url = ""
  let browser: Browser
  beforeAll(async () => {
    server = start(agents, "--port", "0")
    url = await addressOf(server)
    browser = await playwright.launch({
      args: ["--no-sandbox", "--no-zygote", "--disable-gpu"],
      executablePath: await chromium.executablePath()
    })
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    server.child.kill("SIGKILL")
  })

  it("says where every agent is, in every protocol", async () => {
    const lines = server.said().trim().split("\n")
    for (const line of lines.filter((line) => line.startsWith("  ") && !line.includes("page"))) {
      const address = line.trim().split(/ {2,}/)[1]!
      const answer = await fetch(address, { method: "POST", headers: json, body: "{}" })
      const known = await fetch(`${address}/models`)
      assert.isFalse(answer.status === 404 && known.status === 404, line)
    }
    assert.deepStrictEqual(
      lines.filter((line) => !line.startsWith(" ")),
      ["Cleaner", "Counter", "Patient", "Story Teller", "All agents", "Try them"]
    )
  })

  it("what is wrong with the words or the file is said in one sentence", async () => {
    const { port } = new URL(url)
    const noAgents = fileURLToPath(new URL("Program.ts", import.meta.url))
    const [none, taken] = await Promise.all([refused(noAgents, "--port", "0"), refused(agents, "--port", port)])
    assert.deepStrictEqual(none, [2, `${noAgents} exports no agent: export const assistant = …`])
    assert.deepStrictEqual(taken, [1, `The port ${port} is taken: choose another one with --port`])
  })

  it("its page talks with an agent, and what is said is text, whatever stands in it", async () => {
    const page = await browser.newPage()
    const problems: Array<string> = []
    page.on("console", (message) => problems.push(message.text()))
    page.on("pageerror", (error) => problems.push(String(error)))
    await page.goto(url)
    await page.selectOption("#agent", "Story Teller")
    const ask = async (text: string) => {
      await page.fill("#text", text)
      await page.press("#text", "Enter")
      await page.waitForSelector("#send:not([hidden])")
    }
    await ask("first")
    await ask("second")
    assert.deepStrictEqual(await page.locator("#talk article > span").allTextContents(), [
      "<b>Story</b> 1: first",
      "<b>Story</b> 3: second"
    ])
    assert.strictEqual(await page.locator("#talk b").count(), 0)
    await page.selectOption("#agent", "Counter")
    await page.fill("#parameters", '{"to":3}')
    await page.click("#send")
    await page.waitForSelector("text=1 2 3")
    await page.fill("#parameters", '{"to":"x"}')
    await page.click("#send")
    await page.waitForSelector(".bad")
    assert.deepStrictEqual(
      problems.filter((text) => !text.includes("400")),
      []
    )
    await page.close()
  })

  it("its page stops a run, and approves what a tool is to do", async () => {
    const page = await browser.newPage()
    await page.goto(url)
    await page.selectOption("#agent", "Patient")
    await page.fill("#text", "hello")
    await page.press("#text", "Enter")
    await page.waitForSelector("text=I wait")
    await page.click("#stop")
    await page.waitForSelector("text=stopped")
    await page.selectOption("#agent", "Cleaner")
    await page.fill("#text", "clean up")
    await page.press("#text", "Enter")
    await page.click("text=Approve")
    await page.waitForSelector("text=Done.")
    assert.strictEqual(await page.locator("#talk button").count(), 0)
    await page.close()
  })

  it("with a token only the page is open, which then sends it", async () => {
    const guarded = start(agents, "--port", "0", "--token", "a secret")
    const address = new URL(await addressOf(guarded))
    const status = async (path: string, headers = {}) => (await fetch(new URL(path, address), { headers })).status
    assert.deepStrictEqual(
      await Promise.all([status("/"), status("/agents"), status("/agents", { authorization: "Bearer a secret" })]),
      [200, 401, 200]
    )
    const page = await browser.newPage()
    await page.goto(String(address))
    await page.selectOption("#agent", "Counter")
    await page.close()
    // a run that goes on does not keep it from ending
    const headers = { ...json, authorization: "Bearer a secret" }
    const open = await fetch(new URL("/agents/patient", address), { method: "POST", headers, body: '{"messages":"x"}' })
    guarded.child.kill("SIGTERM")
    await open.text().catch(() => "")
    assert.isNotNull(await guarded.ended)
  })
})
