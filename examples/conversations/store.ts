/**
 * Conversations in a store: two forks share what they have in common, a rewind can be undone, and what is said twice is
 * kept once. `Store.layer` over a `SqlClient` in the place of `Store.layerMemory` would keep it for the next start.
 *
 * Run: node --conditions=miniagents-source examples/conversations/store.ts
 *
 * Prints:
 *   both begin with 2 messages; then "Darker, please." and "Another one, please."
 *   rewound: Name a colour.
 *   undone: Name a colour. / Blue. / Another one, please.
 *   4 messages kept, 0 damaged
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Message } from "miniagents"
import { Conversation, Store } from "miniagents/store"

const show = (title: string) =>
  Effect.flatMap(Conversation.messages("colours"), (messages) => Console.log(`${title}: ${messages.join(" / ")}`))

export const program = Effect.gen(function* () {
  yield* Conversation.append("colours", [Message.user("Name a colour."), Message.assistant("Blue.")])
  yield* Conversation.fork("colours", "darker")
  yield* Conversation.append("darker", [Message.user("Darker, please.")])
  yield* Conversation.append("colours", [Message.user("Another one, please.")])

  const { left, right, shared } = yield* Store.diff("darker", "colours")
  yield* Console.log(`both begin with ${shared} messages; then "${left.join()}" and "${right.join()}"`)

  yield* Conversation.rewind("colours", 1)
  yield* show("rewound")
  yield* Conversation.undo("colours")
  yield* show("undone")

  const { damaged, objects } = yield* Store.verify
  yield* Console.log(`${objects} messages kept, ${damaged.length} damaged`)
}).pipe(Effect.orDie, Effect.provide(Store.layerMemory))

if (import.meta.main) NodeRuntime.runMain(program)
