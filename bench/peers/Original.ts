/** The Python original, in a Python process; see requirements.txt for what `.venv` beside this file must hold. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import type { Case } from "../Case.ts"

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export const calls: Case = async (count) => {
  if (!fs.existsSync(here(".venv/bin/python"))) throw new Error("not measured: no `.venv` (see requirements.txt)")
  const options = { encoding: "utf8", timeout: 60_000 } as const
  const { stderr, stdout } = spawnSync(here(".venv/bin/python"), [here("original.py"), `${count}`], options)
  if (!(Number(stdout) > 0)) throw new Error(stderr.trim().split("\n").at(-1))
  return { ms: Number(stdout) }
}
