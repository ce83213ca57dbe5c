import { Effect } from "effect"
import { SqlHistory } from "miniagents/history"
import { SqliteClient } from "miniagents/sqlite"
import { Message, MiniAgents, MessagePromise } from "miniagents"
const [file, name, n, at] = process.argv.slice(2)
await new Promise((r) => setTimeout(r, Math.max(0, Number(at) - Date.now())))
const program = Effect.gen(function* () {
  const history = yield* SqlHistory.makeHistory({ conversation: "c" })
  for (let i = 0; i < Number(n); i++) yield* history.append(MessagePromise.of(Message.user(`${name}-${i} \0 \ud83d`)))
}).pipe(Effect.provide([SqliteClient.layer({ filename: file }), MiniAgents.layer()]))
Effect.runPromise(program as any).then(
  () => process.exit(0),
  (e) => {
    console.error(String(e?.message ?? e))
    process.exit(1)
  }
)
