/**
 * A dialog between a person and an assistant, kept in CHAT.md: start it again, and the assistant remembers. The
 * assistant is a plain agent here, and every prompt it gets is logged to llm_logs/. An agent over a model fits as well.
 *
 * Run: node --conditions=miniagents-source examples/conversations/dialog.ts
 *
 * Prints, to someone who writes `hi` and `exit`:
 *   YOU ARE NOW IN A CHAT WITH AN AI ASSISTANT
 *
 *   Press Enter to send your message.
 *   Press Ctrl+C (or type "exit") to quit the conversation.
 *
 *   USER:
 *   ASSISTANT: "hi" is fine as it is. (1 message so far)
 *
 *   USER:
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect, Layer, Stream } from "effect"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"
import { ConsoleInput, ConsoleOutput, LineInput } from "miniagents/console"
import { Dialog, User } from "miniagents/agents"
import { MarkdownHistory } from "miniagents/history"

const assistant = Agent.make(
  "Assistant",
  Effect.fnUntraced(function* (ctx) {
    const log = yield* MarkdownHistory.make({ file: "llm_logs/prompts.md", ignoreMarks: true })
    yield* ctx.waitFor(Effect.flatMap(log.trigger(ctx.messages), ({ messages }) => messages))

    const said = (yield* ctx.messages.messages).filter((message) => message instanceof Message.User)
    const answer = [
      `"${said.at(-1)}" is fine as it is.`,
      ` (${said.length} message${said.length === 1 ? "" : "s"} so far)`
    ]
    yield* ctx.reply(yield* MessagePromise.fromStream(Stream.fromIterable(answer), { known: { _tag: "Assistant" } }))
    yield* ctx.awaitNow
  }, Effect.scoped)
)

export const program = Effect.gen(function* () {
  const history = yield* MarkdownHistory.make({ file: "CHAT.md" })
  const user = User.make({ output: ConsoleOutput.make(), input: ConsoleInput.make(), history })
  const prompt = Message.system(
    "Improve the style and grammar of what the user says. Leave it unchanged if it is fine."
  )
  const dialog = yield* Dialog.make({ user, assistant }).trigger(prompt)
  yield* dialog.messages // none: a dialog talks to the user, and this waits until it is over
}).pipe(
  Effect.scoped,
  Effect.provide([MiniAgents.layer(), LineInput.layerTerminal.pipe(Layer.provideMerge(NodeServices.layer))])
)

if (import.meta.main) NodeRuntime.runMain(program)
