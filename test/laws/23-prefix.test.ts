/**
 * **Prefix.** The prompt of a request is, byte for byte, the beginning of that of the next one in its conversation,
 * whatever tools, asides, thoughts and texts for the system are in between: what a provider keeps of a prompt is read again.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Layer, Redacted, Schema } from "effect"
import type { LanguageModel } from "effect/ai"
import { Tool, Toolkit } from "effect/ai"
import { Agent, Message, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { AgentTool, LlmAgent, LlmMessage, LlmPrompt } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { DeepSeek, Gemini, Mistral } from "miniagents/providers"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as Loopback from "../llm/Loopback.ts"
import type { Said } from "../llm/Wire.contract.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"
import * as ResponsesWire from "../openai/Responses.wire.ts"

/** What a model does in one request; it calls tools in all but the last one of a turn. */
const Step = Schema.Struct({
  thinks: Schema.Boolean,
  speaks: Schema.Boolean,
  calls: Schema.Array(Schema.Literals(["Plain", "Failing", "Spoken", "Unknown"]))
})
/** What is said, and what the model does until it is done. An agent of another name may take a turn. */
const Turn = Schema.Struct({
  said: Schema.Literals(["Hello", "", " two\n\nlines ", "Größe 👩‍🚀"]),
  aside: Schema.Boolean,
  /** What is for the system, in the middle of the conversation. */
  told: Schema.Boolean,
  speaker: Schema.Literals(["Ann", "Bob"]),
  steps: Schema.Array(Step),
  /** What the model ends with; it may say nothing. */
  last: Schema.Struct({ thinks: Schema.Boolean, speaks: Schema.Boolean })
})
type Turn = typeof Turn.Type

const Plain = Tool.make("Plain", { parameters: Schema.Struct({ n: Schema.Int }), success: Schema.String })
const Failing = Tool.make("Failing", { success: Schema.String, failure: Schema.String, failureMode: "return" })
const inner = Agent.make("Spoken", (ctx) => ctx.reply([Message.assistant("inside"), ctx.messages, "and more"]))
const Spoken = AgentTool.make(inner, { name: "Spoken" })
const toolkit = Toolkit.make(Plain, Failing, Spoken)
const handlers = toolkit.toLayer({
  Plain: ({ n }) => Effect.succeed(`plain ${n}`),
  Failing: () => Effect.fail("no such luck"),
  ...AgentTool.handlers(Spoken)
})

interface Protocol {
  readonly name: string
  readonly say: (said: Said) => ReadonlyArray<string>
  readonly model: (url: string) => Layer.Layer<LanguageModel.LanguageModel>
  /** The tools and the prompt of a request in their order, as far as they can go on. */
  readonly promptOf: (body: { readonly [field: string]: never }) => string
  readonly rule?: LlmPrompt.Rule
}

const open = (parts: ReadonlyArray<unknown>): string => JSON.stringify(parts).slice(0, -1)

const apiKey = Redacted.make("key")
const chat = (
  name: string,
  provider: Pick<OpenAi.Compatible<"openai">, "layer" | "model">,
  config?: OpenAi.ResponsesConfig
): Protocol => ({
  name,
  say: config === undefined ? OpenAiWire.whole : ResponsesWire.whole,
  model: (url) => Layer.provide(provider.model("gpt-5.2", config), provider.layer({ apiKey, baseUrl: url })),
  // whether an answer is to be gone on with is no part of the prompt
  promptOf: ({ input, messages, tools }) =>
    open([
      tools,
      ...((messages ?? input) as ReadonlyArray<object>).map((message) => ({ ...message, prefix: undefined }))
    ])
})
const anthropic = (name: string, rule: LlmPrompt.Rule): Protocol => ({
  name,
  rule,
  say: AnthropicWire.whole,
  model: (url) =>
    Layer.provide(Anthropic.model("claude-sonnet-5-5", { cache: "off" }), Anthropic.layer({ apiKey, baseUrl: url })),
  promptOf: ({ messages, system, tools }) => {
    const turns = messages as ReadonlyArray<{ role: string; content: ReadonlyArray<{ type: string; text?: string }> }>
    // a text can go on
    const said = turns.flatMap(({ content, role }) => content.map((block) => [role, block.text ?? block]))
    return open([[tools, system], ...said]).replace(/"\]$/, "")
  }
})
const protocols: ReadonlyArray<Protocol> = [
  chat("OpenAI's Chat Completions", OpenAi as never),
  chat("OpenAI's Responses", OpenAi as never, { api: "responses" }),
  chat("DeepSeek", DeepSeek as never),
  chat("Gemini", Gemini as never),
  chat("Mistral", Mistral as never),
  anthropic("Anthropic", (prompt) => prompt),
  anthropic("Anthropic, as its agent has prompts", LlmPrompt.inOrderWith({}))
]

/** What the model says in each request of a conversation. */
const script = (turns: ReadonlyArray<Turn>): ReadonlyArray<Said> => {
  let id = 0
  return turns.flatMap(({ last, steps }) =>
    [...steps.filter(({ calls }) => calls.length > 0), { ...last, calls: [] as const }].map(
      ({ calls, speaks, thinks }) => ({
        reasoning: thinks ? ["I ", "think"] : [],
        text: speaks ? ["I ", "say"] : [],
        calls: calls.map((name) => ({
          id: `call${String(id++).padStart(5, "0")}`,
          name,
          json: [JSON.stringify(name === "Plain" ? { n: id } : name === "Spoken" ? { message: "go" } : {})]
        }))
      })
    )
  )
}

const isAnswer = (message: Message.Message): boolean =>
  message instanceof LlmMessage.ToolCall || (message instanceof Message.Assistant && message.content !== "")

const converse = ({ model, promptOf, rule = (prompt) => prompt, say }: Protocol, turns: ReadonlyArray<Turn>) =>
  Effect.gen(function* () {
    const said = script(turns)
    const server = yield* Loopback.serve((response, request, count) =>
      Loopback.stream(say(said[count - 1] ?? { text: ["too many"] }))(response, request, count)
    )
    const assistants = {
      Ann: LlmAgent.make("Ann", { system: "Be brief", toolkit, maxSteps: 50, model: model(server.url) }),
      Bob: LlmAgent.make("Bob", { system: "Be brief", toolkit, maxSteps: 50, model: model(server.url) })
    }
    const conversation: Array<Message.Message> = [Message.user("Begin")]
    for (const { aside, said, speaker, told } of turns) {
      // what is said before the model has said anything belongs to its first request
      if (told && conversation.some(isAnswer)) conversation.push(Message.system("Be kind"))
      conversation.push(Message.user(said))
      // what one agent says beside the point is a message like any other to the next
      if (aside) conversation.push(Message.text("by the way"))
      const replies = yield* LlmPrompt.withRule(rule)(assistants[speaker].trigger(conversation))
      conversation.push(...(yield* replies.messages))
    }
    const prompts = server.received.map(({ body }) => promptOf(body as never))
    assert.strictEqual(prompts.length, said.length)
    for (let i = 1; i < prompts.length; i++) {
      const [before = "", after = ""] = [prompts[i - 1], prompts[i]]
      if (!after.startsWith(before)) assert.strictEqual(after, before, `request ${i + 1}`)
    }
  }).pipe(Effect.provide([MiniAgents.layer(), handlers]), Effect.scoped)

describe("Prefix", () => {
  it.live.each(protocols)(
    "the prompt of a turn is the beginning of that of the next one: $name",
    (protocol) =>
      Effect.gen(function* () {
        const turns = Arbitrary.schema(Schema.Array(Turn))
        const check = Arbitrary.checkEffect(turns, (turns) => Effect.as(converse(protocol, turns), true), {
          seed: 7,
          runs: 10,
          size: 5
        })
        const failure = Arbitrary.formatCheckFailure(yield* check)
        assert.isUndefined(failure, failure)
      }),
    60_000
  )

  it.live("a run that begins where another one has said nothing does not go on with its calls", () =>
    Effect.forEach(protocols, (protocol) => {
      const turn: Turn = {
        said: "",
        aside: false,
        told: false,
        speaker: "Ann",
        steps: [{ thinks: false, speaks: false, calls: ["Plain"] }],
        last: { thinks: false, speaks: false }
      }
      return converse(protocol, [turn, turn, turn])
    })
  )
})
