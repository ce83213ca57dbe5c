/** Six processes open one new database at the same moment, and append: none is told that it is locked, nothing is lost. */
import { tmpdir } from "node:os"
import * as L from "./lib.ts"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import { SqlHistory } from "miniagents/history"
import { SqliteClient } from "miniagents/sqlite"
const dir = mkdtempSync(`${tmpdir()}/db-`)
const file = join(dir, "a.db")
const at = String(Date.now() + 3000)
const child = (name: string) =>
  new Promise<string>((resolve) => {
    const p = spawn(process.execPath, [
      "--no-warnings",
      new URL("./sqlite-child.ts", import.meta.url).pathname,
      file,
      name,
      "20",
      at
    ])
    let said = ""
    p.stderr.on("data", (d) => (said += d))
    p.on("close", (code) => resolve(code === 0 ? "" : `${name}: ${said}`))
  })
const failed = (await Promise.all(["a", "b", "c", "d", "e", "f"].map(child))).filter((s) => s !== "")
const exit = await L.run(
  Effect.flatMap(SqlHistory.makeHistory({ conversation: "c" }), (h) => h.messages).pipe(
    Effect.provide(SqliteClient.layer({ filename: file }))
  ) as any
)
const kept = new Set(((L.valueOf(exit) ?? []) as Array<any>).map((m) => m.content)).size
rmSync(dir, { recursive: true })
L.verdict("35 many processes can open and append to one database", [
  failed.length > 0 && failed.join(),
  kept !== 120 && `${kept} of 120 messages`
])
