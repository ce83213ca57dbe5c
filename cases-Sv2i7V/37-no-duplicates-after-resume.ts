/** A conversation that is continued in another process: the model sees each message once. */
import { tmpdir } from "node:os"
import * as L from "./lib.ts"
import { mkdtempSync, rmSync } from "node:fs"
import { envOf, sh } from "./cli.ts"
const dir = mkdtempSync(`${tmpdir()}/chat-`)
const server = await L.serve((r, asked, n) =>
  asked.body === undefined
    ? L.json(r, 200, { data: [{ id: "m" }] })
    : L.sse(r, [L.chunk({ content: `answer ${n}` }), L.chunk({}, "stop"), L.DONE])
)
await sh('"$NODE" "$MAIN" chat', envOf(server.url), dir, "one\ntwo\n")
const last = await sh('"$NODE" "$MAIN" chat', envOf(server.url), dir, "three\n")
rmSync(dir, { recursive: true })
const asked = server.asked
  .filter((a) => a.body)
  .at(-1)
  ?.body.messages.map((m: any) => m.content)
  .join("|")
L.verdict("37 nothing is doubled after a resume", [
  asked !== "one|answer 1|two|answer 2|three" && `${asked} ${last.err}`
])
