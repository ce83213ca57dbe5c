/**
 * A conversation in a database is forked at a message, and both branches go on: each has what came before the fork, and
 * what was said on it since. `filename: "chats.db"` would keep it for the next start.
 *
 * Run: node --conditions=miniagents-source examples/conversations/branches.ts
 *
 * Prints:
 *   main: Name a colour. / Blue. / Another one, please. / Green, then.
 *   darker (forked from main at 2): Name a colour. / Blue. / Darker, please. / Navy, then.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Agent, Message, MiniAgents } from "miniagents"
import { History, SqlHistory } from "miniagents/history"
import { SqliteClient } from "miniagents/sqlite"

const answers = new Map([
  ["Name a colour.", "Blue."],
  ["Another one, please.", "Green, then."],
  ["Darker, please.", "Navy, then."]
])

const painter = Agent.make(
  "Painter",
  Effect.fnUntraced(function* (ctx) {
    const last = (yield* ctx.messages.messages).at(-1)
    yield* ctx.reply(Message.assistant(answers.get(String(last)) ?? "White."))
  })
)

/** One turn: what the person says is kept, then what the painter says to all that is on this branch. */
const say = Effect.fnUntraced(function* (branch: SqlHistory.SqlHistory, text: string) {
  const history = History.agent("History", branch)
  const sofar = yield* history.trigger(Message.user(text), { returnFullHistory: true })
  yield* (yield* history.trigger(yield* painter.trigger(sofar))).messages
})

export const program = Effect.gen(function* () {
  const main = yield* SqlHistory.makeHistory({ conversation: "colours" })
  yield* say(main, "Name a colour.")
  const darker = yield* main.fork({ at: 2, branch: "darker" })
  yield* say(main, "Another one, please.")
  yield* say(darker, "Darker, please.")
  for (const { forkedAt, name, parent } of yield* main.branches) {
    const branch = yield* SqlHistory.makeHistory({ conversation: "colours", branch: name })
    const from = parent === undefined ? "" : ` (forked from ${parent} at ${forkedAt})`
    yield* Console.log(`${name}${from}: ${(yield* branch.messages).join(" / ")}`)
  }
}).pipe(Effect.orDie, Effect.provide([MiniAgents.layer(), SqliteClient.layer({ filename: ":memory:" })]), Effect.orDie)

if (import.meta.main) NodeRuntime.runMain(program)
