/** `miniagents ask … | head -c 5`: no trace, no hang, and the request ends. */
import { tmpdir } from "node:os"
import * as L from "./lib.ts"
import { mkdtempSync, rmSync } from "node:fs"
import { envOf, sh } from "./cli.ts"
const dir = mkdtempSync(`${tmpdir()}/ask-`)
const server = await L.serve((r) => {
  L.sse(r, [L.chunk({ content: "first words and " })], false)
  const more = setInterval(() => r.write(L.chunk({ content: "more words ".repeat(2000) })), 20)
  r.on("close", () => clearInterval(more))
})
const started = Date.now()
const got = await sh('timeout 15 "$NODE" "$MAIN" ask hi | head -c 5', envOf(server.url), dir)
rmSync(dir, { recursive: true })
L.verdict("38 a reader that leaves ends the program quietly", [
  got.out !== "first" && `out ${JSON.stringify(got.out)}`,
  got.err !== "" && L.short(got.err),
  Date.now() - started > 12_000 && "it went on",
  server.closed.length !== 1 && "the request went on"
])
