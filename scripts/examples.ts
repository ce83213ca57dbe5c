/** Runs every example but the research, which takes a question, shows what each prints, and fails when one of them fails. */

import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { fileURLToPath } from "node:url"

const cwd = fileURLToPath(new URL("..", import.meta.url))
const examples = globSync("examples/**/*.ts", { cwd, exclude: ["examples/research/**"] }).sort()
if (examples.length === 0) throw new Error("`examples/` has no file in a folder of its topic")

const failed = examples.filter((example) => {
  console.log(`\n── ${example}`)
  const { signal, status } = spawnSync(process.execPath, ["--conditions=miniagents-source", example], {
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
    timeout: 60_000
  })
  if (status !== 0) console.log(`${example} ended with ${signal ?? `exit status ${status}`}`)
  return status !== 0
})

console.log(`\n${examples.length - failed.length} of ${examples.length} examples ended well`)
if (failed.length > 0) process.exitCode = 1
