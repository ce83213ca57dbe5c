import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, it } from "@effect/vitest"

const example = fileURLToPath(new URL("../../examples/cluster/kill.ts", import.meta.url))

it("the example of a cluster tells how it goes on when a process is killed", { timeout: 60_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=miniagents-source", example])
  assert.strictEqual(
    stdout,
    "one, says one process\ntwo, says one process\nthree, says the other one\nfour, says the other one\n"
  )
})
