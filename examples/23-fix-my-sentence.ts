/**
 * An assistant that improves what the user says: the message to the dialog is the assistant's prompt. The assistant is
 * a plain agent with a table of corrections; put one over a model in its place.
 *
 * Run: node --conditions=miniagents-source examples/23-fix-my-sentence.ts
 *
 * Prints, to someone who writes `i has a cat` and `exit`, below the greeting:
 *   USER:
 *   ASSISTANT: I have a cat.
 *
 *   USER:
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { Agent, Message, MiniAgents } from "miniagents"
import { ConsoleInput, ConsoleOutput, LineInput } from "miniagents/console"
import { Dialog, User } from "miniagents/agents"
import { MemoryHistory } from "miniagents/history"

const corrections: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bi\b/g, "I"],
  [/\bI has\b/g, "I have"],
  [/(?<![.!?])$/, "."]
]

const assistant = Agent.make(
  "Assistant",
  Effect.fnUntraced(function* (ctx) {
    // the conversation so far, and after it the prompt
    const messages = yield* ctx.messages.messages
    const sentence = String(messages.findLast((message) => message instanceof Message.User) ?? "")
    const fixed = corrections.reduce((text, [wrong, right]) => text.replace(wrong, right), sentence)
    yield* ctx.reply(Message.assistant(fixed))
  })
)

export const program = Effect.gen(function* () {
  const history = yield* MemoryHistory.make()
  const user = User.make({ output: ConsoleOutput.make(), input: ConsoleInput.make(), history })
  const prompt = Message.system(
    "Improve the style and grammar of what the user says. Leave it unchanged if it is fine."
  )
  const dialog = yield* Dialog.make({ user, assistant }).trigger(prompt)
  yield* dialog.messages
}).pipe(Effect.provide([MiniAgents.layer(), LineInput.layerTerminal.pipe(Layer.provideMerge(NodeServices.layer))]))

if (import.meta.main) NodeRuntime.runMain(program)
