/** Two relaying agents wired in a ring: an error that names them, or a wait that can be interrupted; never a blocked event loop. */
import * as L from "./lib.ts"
import { spawnSync } from "node:child_process"
const program = `
import { Effect } from "effect"
import { Agent, MiniAgents } from "miniagents"
const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
const ring = Effect.gen(function*() {
  const a = yield* echo.call(), ra = yield* a.replies({ finish: false })
  const rb = yield* echo.trigger(ra)
  if (process.argv[1] === "full") yield* a.send("go")
  yield* a.send(rb); yield* a.finish
  return yield* rb.text
})
const c = new AbortController(); setTimeout(() => c.abort(), 500)
const exit = await Effect.runPromiseExit(Effect.provide(Effect.scoped(ring), MiniAgents.layer()), { signal: c.signal })
console.log(exit._tag); process.exit(0)`
const complaints = ["full", "empty"].map((how) => {
  const got = spawnSync(process.execPath, ["--max-old-space-size=256", "--input-type=module", "-e", program, how], {
    encoding: "utf8",
    timeout: 15000,
    cwd: process.cwd()
  })
  return got.status !== 0 && `${how}: ${got.signal ?? `exit ${got.status}`}, the process was frozen or died`
})
L.verdict("56 a ring of sequences neither freezes nor kills the process", complaints)
