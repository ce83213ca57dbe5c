import { spawn } from "node:child_process"
export const main = process.env.MINIAGENTS_MAIN ?? new URL("../src/cli/main.ts", import.meta.url).pathname
export const sh = (command: string, env: Record<string, string>, cwd: string, input = "") =>
  new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    const p = spawn("bash", ["-c", command], {
      env: { ...process.env, NODE: process.execPath, MAIN: main, ...env },
      cwd
    })
    let out = "",
      err = ""
    p.stdout.on("data", (d) => (out += d))
    p.stderr.on("data", (d) => (err += d))
    p.stdin.on("error", () => {})
    p.stdin.end(input)
    p.on("close", (code) => resolve({ code, out, err }))
  })
export const envOf = (url: string) => ({
  OPENAI_BASE_URL: `${url}/v1`,
  OPENAI_API_KEY: "",
  ANTHROPIC_API_KEY: "",
  MINIAGENTS_MODEL: "m",
  MINIAGENTS_PROVIDER: "openai"
})
