/**
 * The persistence hook gets each distinct message once, and the records of which agent was called with what and replied
 * what. A message is known by its hash key, and holds others by theirs, as commits do in git.
 *
 * Run: node --conditions=miniagents-source examples/operations/persistence.ts
 *
 * Prints each message when it is persisted, then the record of the reply as it is stored.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Agent, Message, MiniAgents } from "miniagents"

const shout = Agent.make(
  "Shout",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply((yield* ctx.messages.text).toUpperCase())
  })
)

const store = new Map<string, object>() // a table in a database, for instance

const onPersistMessages = Effect.fnUntraced(function* (messages: ReadonlyArray<Message.Message>) {
  for (const message of messages) {
    yield* Console.log(`Persisting message with hash key: ${message.hashKey} (${message._tag})`)
    store.set(message.hashKey, Message.serialize(message))
  }
})

const twice = Effect.gen(function* () {
  for (const word of ["hello", "hello"]) yield* (yield* shout.trigger(word)).messages
})

export const program = Effect.gen(function* () {
  yield* Effect.provide(twice, MiniAgents.layer({ onPersistMessages })) // leaving the runtime waits for the hook
  yield* Console.log(JSON.stringify([...store.values()].at(-1), null, 2))
})

if (import.meta.main) NodeRuntime.runMain(program)
