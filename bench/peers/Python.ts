/** The peers that run in a Python process; see requirements.txt for what `.venv` beside this file must hold. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import type { Case, Outcome } from "../Case.ts"
import type { Load } from "../Requests.ts"
import * as Server from "../server/Server.ts"

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const run = async (program: string, ...args: ReadonlyArray<string>): Promise<Outcome> => {
  if (!fs.existsSync(here(".venv/bin/python"))) throw new Error("not measured: no `.venv` (see requirements.txt)")
  const child = spawn(here(".venv/bin/python"), [here(program), ...args], { timeout: 120_000 })
  const [printed, said] = await Promise.all([text(child.stdout), text(child.stderr)])
  if (printed === "") throw new Error(said.trim().split("\n").at(-1))
  return JSON.parse(printed) as Outcome
}

/** The Python original, S1. */
export const calls: Case = (count) => run("original.py", `${count}`)

/** pydantic-ai, S13, on Chat Completions. */
export const requests = ({ atOnce, pace, tokens }: Load): Case => {
  const ready = Server.start()
  return async (size) => {
    const url = `${await ready}/${pace}/${tokens}/v1`
    const counts = [tokens, atOnce, Math.ceil(size / tokens), pace === "tool" ? 1 : 0]
    return run("pydantic_ai_client.py", url, ...counts.map(String))
  }
}
