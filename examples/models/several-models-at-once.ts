/**
 * Several models answer at once: both are asked before either has said a word, and their answers are shown token by
 * token in the order of the code. A third model is then asked for the gist of what the two are still saying.
 *
 * Run: node --conditions=miniagents-source examples/models/several-models-at-once.ts
 *
 * It takes keys in OPENAI_API_KEY and ANTHROPIC_API_KEY, or the addresses of servers of your own in OPENAI_BASE_URL and
 * ANTHROPIC_BASE_URL.
 *
 * Prints what the models answer, such as:
 *   GPT: Tea.
 *
 *   CLAUDE: Coffee.
 *
 *   JUDGE: They disagree.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Agent, MiniAgents } from "miniagents"
import { ConsoleOutput } from "miniagents/console"
import { Anthropic } from "miniagents/anthropic"
import { OpenAi } from "miniagents/openai"

const gpt = OpenAi.agent.fork({ name: "GPT", parameters: { model: "gpt-4o-mini" } })
const claude = Anthropic.agent.fork({ name: "Claude", parameters: { model: "claude-sonnet-5-5", maxTokens: 1000 } })
const judge = gpt.fork({ name: "Judge", parameters: { system: "In one sentence: do these answers agree?" } })

const panel = Agent.make(
  "Panel",
  Effect.fnUntraced(function* (ctx) {
    const answers = [yield* gpt.trigger(ctx.messages), yield* claude.trigger(ctx.messages)]
    yield* ctx.reply(answers)
    yield* ctx.reply(yield* judge.trigger(["Tea or coffee?", answers]))
  })
)

export const program = Effect.gen(function* () {
  const answers = yield* panel.trigger("Tea or coffee?")
  yield* (yield* ConsoleOutput.make().trigger(answers)).messages
}).pipe(
  Effect.provide([MiniAgents.layer(), OpenAi.layerConfig(), Anthropic.layerConfig(), NodeServices.layer]),
  Effect.catchTag("ConfigError", () =>
    Console.log("Set OPENAI_API_KEY and ANTHROPIC_API_KEY, or addresses of your own, to run this example.")
  )
)

if (import.meta.main) NodeRuntime.runMain(program)
