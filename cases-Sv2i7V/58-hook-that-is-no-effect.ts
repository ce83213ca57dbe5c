/** A persistence hook that gives a Promise (plain JavaScript) is refused in one sentence; it does not hang the runtime at its end. */
import * as L from "./lib.ts"
import { Effect } from "effect"
import { Agent, MiniAgents } from "miniagents"
const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
const done = await Promise.race([
  Effect.runPromiseExit(
    Effect.provide(
      Effect.flatMap(echo.trigger("x"), (r) => r.text),
      MiniAgents.layer({ onPersistMessages: (async () => {}) as any })
    )
  ).then(
    () => true,
    () => true
  ),
  new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 4000))
])
L.verdict("58 a hook that gives no Effect does not hang the runtime", [!done && "nothing within 4 s"])
