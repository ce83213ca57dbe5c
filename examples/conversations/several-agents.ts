/**
 * A conversation with several agents at once: what the favourite says is the answer, and part of the history; what the
 * others say is written to a file each. The turn is over when all of them have finished.
 *
 * Run: node --conditions=miniagents-source examples/conversations/several-agents.ts
 *
 * Prints, to someone who writes `hello` and `exit`, below the greeting:
 *   USER:
 *   OPTIMIST: "hello" is wonderful!
 *
 *   USER:
 *
 * And ALT__Pessimist.md then has:
 *   "hello" will not end well.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { Agent, Message, MiniAgents } from "miniagents"
import { ConsoleInput, ConsoleOutput, LineInput } from "miniagents/console"
import { Dialog, User } from "miniagents/agents"
import { MarkdownHistory } from "miniagents/history"

const voice = Agent.make(
  "Voice",
  { parameters: { agent: Schema.String, opinion: Schema.String } },
  Effect.fnUntraced(function* (ctx) {
    const { agent, opinion } = ctx.parameters
    const last = (yield* ctx.messages.messages).at(-1)
    yield* ctx.reply(new Message.Assistant({ agent, content: `"${last}" ${opinion}` }))
  })
)
const favourite = voice.fork({ parameters: { agent: "Optimist", opinion: "is wonderful!" } })
const others = {
  Pessimist: voice.fork({ parameters: { agent: "Pessimist", opinion: "will not end well." } }),
  Realist: voice.fork({ parameters: { agent: "Realist", opinion: "is what was said." } })
}

export const program = Effect.gen(function* () {
  const files = yield* Effect.forEach(Object.entries(others), ([name, agent]) =>
    Effect.map(MarkdownHistory.make({ file: `ALT__${name}.md` }), (file) => ({ agent, file }))
  )
  const everyone = Agent.make(
    "Everyone",
    Effect.fnUntraced(function* (ctx) {
      yield* ctx.reply(yield* favourite.trigger(ctx.messages))
      for (const { agent, file } of files) {
        const written = yield* file.trigger(yield* agent.trigger(ctx.messages))
        yield* ctx.waitFor(written.messages)
      }
    })
  )
  const history = yield* MarkdownHistory.make({ file: "CHAT.md" })
  const user = User.make({ output: ConsoleOutput.make(), input: ConsoleInput.make(), history })
  yield* (yield* Dialog.make({ user, assistant: everyone }).trigger()).messages
}).pipe(
  Effect.scoped,
  Effect.provide([MiniAgents.layer(), LineInput.layerTerminal.pipe(Layer.provideMerge(NodeServices.layer))])
)

if (import.meta.main) NodeRuntime.runMain(program)
