/** Runs the compiler of this repository in a process of its own. */
import { spawnSync } from "node:child_process"
import * as path from "node:path"
import * as Temporary from "../Temporary.ts"

/** Throws with what it prints when it does not succeed. */
export const tsc = (args: ReadonlyArray<string>): void => {
  const program = path.join(Temporary.root, "node_modules", "typescript", "bin", "tsc")
  const { status, stdout } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" })
  if (status !== 0) throw new Error(stdout.split("\n").slice(0, 5).join(" "))
}
