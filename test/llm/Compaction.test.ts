/** A conversation that outgrows its model goes on, and nothing of it is lost. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Logger, Schema } from "effect"
import type { Layer } from "effect"
import { AiError, Tool, Toolkit } from "effect/ai"
import type { Prompt } from "effect/ai"
import { Agent, Message, MiniAgents } from "miniagents"
import { Compaction, LlmAgent, LlmMessage, LlmPrompt, TokenCount } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { reasoning, text, toolCall, turn, usage } = ScriptedModel

const Read = Tool.make("Read", { parameters: Schema.Struct({ words: Schema.Int }), success: Schema.String })
const kit = Toolkit.make(Read)
const kitLive = kit.toLayer({ Read: ({ words }) => Effect.succeed("word ".repeat(words)) })

const long = (words: number) => "word ".repeat(words).trim()

/** Says these texts to an agent, one after the other, and gives the conversation and the requests. */
const converse = (
  said: ReadonlyArray<string>,
  turns: ReadonlyArray<ScriptedModel.Turn>,
  compaction: Layer.Layer<never>,
  begun: ReadonlyArray<Message.Message> = []
) =>
  Effect.gen(function* () {
    const agent = LlmAgent.make("Assistant", { toolkit: kit, system: "Be brief", maxSteps: 100 })
    const conversation: Array<Message.Message> = [...begun]
    let failure: unknown
    for (const text of said) {
      conversation.push(Message.user(text))
      const exit = yield* Effect.exit(Effect.flatMap(agent.trigger(conversation), (replies) => replies.messages))
      if (Exit.isSuccess(exit)) conversation.push(...exit.value)
      else failure = yield* Effect.flip(exit)
    }
    const { requests } = yield* ScriptedModel.ScriptedModel
    return { conversation, failure, requests: yield* requests }
  }).pipe(Effect.provide([MiniAgents.layer(), ScriptedModel.layer(turns), compaction, kitLive]))

const compactedIn = (messages: ReadonlyArray<Message.Message>) =>
  messages.filter((message) => message instanceof LlmMessage.Compacted)

const textsOf = (prompt: Prompt.Prompt) =>
  prompt.content.flatMap(({ content }) =>
    typeof content === "string"
      ? [content]
      : content.flatMap((part) =>
          part.type === "text" ? [part.text] : part.type === "tool-result" ? [`${part.result}`] : []
        )
  )

const answers = (n: number) => Array.from({ length: n }, (_, i) => turn(text(`answer ${i + 1}`)))

describe("Compaction", () => {
  it.effect("does nothing while there is room", () =>
    Effect.gen(function* () {
      const compaction = Compaction.layer({ window: 10_000, policies: [Compaction.keepEnds()] })
      const { conversation, requests } = yield* converse(["a", "b"], answers(2), compaction)
      assert.deepStrictEqual(compactedIn(conversation), [])
      assert.strictEqual(requests.length, 2)
    })
  )

  it.effect("cuts old results of tools, and says how long they were, and by which hash they are found", () =>
    Effect.gen(function* () {
      const compaction = Compaction.layer({
        window: 2000,
        reserve: 200,
        policies: [Compaction.cutToolResults({ keepLast: 1 })]
      })
      const turns = [
        turn(toolCall("Read", { words: 700 }, "1")),
        turn(text("one")),
        turn(toolCall("Read", { words: 700 }, "2")),
        turn(text("two")),
        turn(text("three"))
      ]
      const { conversation, requests } = yield* converse(["first", "second", "third"], turns, compaction)
      const [compacted, ...more] = compactedIn(conversation)
      assert.deepStrictEqual(more, [])
      const results = conversation.filter((message) => message instanceof LlmMessage.ToolResult)
      assert.deepStrictEqual(compacted?.replaces, [results[0]?.hashKey])
      assert.strictEqual(String(results[0]).length, 3500)
      const stub = `[3500 characters were left out to make room; ${results[0]?.hashKey.slice(0, 12)}]`
      // the request after the second result was the first that would have been too long
      assert.deepStrictEqual(
        requests.map(({ prompt }) => textsOf(prompt).includes(stub)),
        [false, false, false, true, true]
      )
      assert.include(textsOf(requests[4]!.prompt), "word ".repeat(700))
    })
  )

  it.effect("leaves out the middle, and keeps the first and the last", () =>
    Effect.gen(function* () {
      const compaction = Compaction.layer({
        window: 1000,
        reserve: 100,
        policies: [Compaction.keepEnds({ keepFirst: 1, keepLast: 3 })]
      })
      const said = ["the task", ...Array.from({ length: 7 }, (_, i) => `${i} ${long(100)}`)]
      const { conversation, requests } = yield* converse(said, answers(8), compaction)
      const [compacted] = compactedIn(conversation)
      assert(compacted !== undefined)
      const texts = textsOf(requests.at(-1)!.prompt)
      assert.deepStrictEqual(texts.slice(0, 3), ["Be brief", "the task", String(compacted)])
      assert.match(String(compacted), /^\[\d+ earlier messages were left out to make room; [0-9a-f]{12}\]$/)
      assert.deepStrictEqual(texts.slice(-2), ["answer 7", said.at(-1)])
      assert.deepStrictEqual(
        Compaction.expand(conversation).map(String),
        said.flatMap((text, i) => [text, `answer ${i + 1}`])
      )
    })
  )

  it.effect("has an agent summarize the middle, once, and the summary can be expanded again", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const summarizer = Agent.make("Summarizer", (ctx) =>
        Effect.gen(function* () {
          asked.push(yield* ctx.messages.text)
          yield* ctx.reply(Message.assistant(`summary ${asked.length}`))
        })
      )
      const compaction = Compaction.layer({
        window: 1000,
        reserve: 100,
        policies: [Compaction.summarize({ agent: summarizer, keepFirst: 1, keepLast: 2 })]
      })
      const said = ["the task", ...Array.from({ length: 14 }, (_, i) => `${i} ${long(100)}`)]
      const { conversation, requests } = yield* converse(said, answers(15), compaction)
      const summaries = compactedIn(conversation)
      assert.strictEqual(summaries.length, asked.length)
      assert.isAtLeast(summaries.length, 2)
      assert.match(asked[0]!, /^<said>\nAssistant: answer 1\n\nUser: 0 word/)
      assert.include(textsOf(requests.at(-1)!.prompt), String(summaries.at(-1)))
      assert.include(String(summaries.at(-1)), `A summary of them:\n\nsummary ${asked.length}`)
      // the second one summarizes the first one with what came after it
      assert.include(asked[1], "Compacted: [")
      const found = Compaction.originals(summaries[1]!, conversation).map(String)
      assert.deepStrictEqual(
        found,
        Compaction.expand(conversation)
          .slice(1, found.length + 1)
          .map(String)
      )
    })
  )

  it.effect("sends a long middle to the summarizing agent in pieces, each with the summary so far", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const summarizer = Agent.make("Summarizer", (ctx) =>
        Effect.gen(function* () {
          asked.push(yield* ctx.messages.text)
          yield* ctx.reply(Message.assistant(`summary ${asked.length}`))
        })
      )
      const policy = Compaction.summarize({ agent: summarizer, keepLast: 1, pieces: 200 })
      const compaction = Compaction.layer({ window: 1000, reserve: 100, target: 0.1, policies: [policy] })
      const begun = Array.from({ length: 8 }, (_, i) => Message.user(`${i} ${long(100)}`))
      yield* converse(["go on"], answers(1), compaction, begun)
      assert.isAbove(asked.length, 3)
      assert.match(asked[1]!, /^<summary>\nsummary 1\n<\/summary>\n\n<said>\n/)
    })
  )

  it.effect("tries the next policy where a summary fails, and says so", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const broken = Agent.make("Broken", () => Effect.fail("no such luck"))
      const compaction = Compaction.layer({
        window: 600,
        reserve: 100,
        policies: [Compaction.summarize({ agent: broken, keepLast: 1 }), Compaction.keepEnds({ keepLast: 1 })]
      })
      const begun = Array.from({ length: 5 }, () => Message.user(long(100)))
      const { conversation } = yield* converse(["go on"], answers(1), compaction, begun).pipe(
        Effect.provide(Logger.layer([Logger.make(({ message }) => void logged.push(message))]))
      )
      assert.strictEqual(compactedIn(conversation).length, 1)
      assert.include(JSON.stringify(logged), "a conversation could not be summarized")
    })
  )

  it.effect("fails with both numbers, and asks nothing, where a prompt is too long all the same", () =>
    Effect.gen(function* () {
      const compaction = Compaction.layer({ window: 500, reserve: 100, policies: [Compaction.keepEnds()] })
      const { failure, requests } = yield* converse([long(500)], [], compaction)
      assert(failure instanceof AiError.AiError && failure.reason instanceof Compaction.PromptTooLong)
      const { agent, allowed, model, tokens } = failure.reason
      assert.deepStrictEqual([agent, model, allowed], ["Assistant", "scripted", 400])
      assert.isAbove(tokens, 400)
      assert.match(failure.message, /the prompt of `Assistant` has about \d+ tokens, and `scripted` takes 400/)
      assert.isFalse(failure.isRetryable)
      assert.deepStrictEqual(requests, [])
    })
  )

  it.effect("goes by what the provider says of the tokens, where it does", () =>
    Effect.gen(function* () {
      const compaction = Compaction.layer({
        window: 10_000,
        reserve: 0,
        policies: [Compaction.keepEnds({ keepLast: 1 })]
      })
      const turns = [turn(text("one"), usage(2000, 10)), turn(text("two"), usage(9990, 10)), turn(text("three"))]
      const { conversation } = yield* converse(["a", long(2000), "c"], turns, compaction)
      assert.strictEqual(compactedIn(conversation).length, 1)
      assert.strictEqual(conversation.indexOf(compactedIn(conversation)[0]!), 5)
    })
  )

  it.effect("holds for an object as well", () =>
    Effect.gen(function* () {
      const critic = LlmAgent.makeObject("Critic", { schema: Schema.Struct({ stars: Schema.Int }) })
      const failure = yield* Effect.flip(Effect.flatMap(critic.trigger(long(500)), (replies) => replies.messages))
      assert(failure._tag === "AiError" && failure.reason instanceof Compaction.PromptTooLong)
    }).pipe(
      Effect.provide([
        MiniAgents.layer(),
        ScriptedModel.layer([]),
        Compaction.layer({ window: 500, reserve: 100, policies: [] })
      ])
    )
  )

  it.effect("is kept with the conversation: what reads it again makes the same prompt", () =>
    Effect.gen(function* () {
      const compaction = Compaction.layer({ window: 1000, reserve: 100, policies: [Compaction.keepEnds()] })
      const said = Array.from({ length: 8 }, (_, i) => `${i} ${long(100)}`)
      const { conversation } = yield* converse(said, answers(8), compaction)
      assert.isAbove(compactedIn(conversation).length, 0)
      const codec = Schema.toCodecJson(Schema.Array(Message.codec(LlmMessage.classes)))
      const json = JSON.stringify(yield* Schema.encodeUnknownEffect(codec)(conversation))
      const kept = yield* Schema.decodeUnknownEffect(codec)(JSON.parse(json))
      assert.deepStrictEqual(LlmPrompt.fromMessages(kept), LlmPrompt.fromMessages(conversation))
      assert.isBelow(TokenCount.estimate(LlmPrompt.fromMessages(kept)), 900)
    })
  )
})

const Step = Schema.Struct({
  thinks: Schema.Boolean,
  words: Schema.Literals([1, 40, 150]),
  calls: Schema.Literals([0, 1, 2])
})
const Talk = Schema.Struct({
  turns: Schema.Array(Schema.Struct({ words: Schema.Literals([1, 30, 100]), steps: Schema.Array(Step) })),
  first: Schema.Literals(["results", "ends"])
})

describe("a conversation of any kind", () => {
  it.effect(
    "never has a prompt that is too long, loses nothing, and has its prompt begun anew no more often than it must",
    () =>
      Effect.gen(function* () {
        const check = Arbitrary.checkEffect(Arbitrary.schema(Talk), ({ first, turns }) => property(first, turns), {
          seed: 5,
          runs: 25,
          size: 12
        })
        const failure = Arbitrary.formatCheckFailure(yield* check)
        assert.isUndefined(failure, failure)
      }),
    60_000
  )
})

const property = (first: (typeof Talk.Type)["first"], turns: (typeof Talk.Type)["turns"]) =>
  Effect.gen(function* () {
    const [results, ends] = [Compaction.cutToolResults({ keepLast: 1 }), Compaction.keepEnds({ keepLast: 1 })]
    const policies = first === "results" ? [results, ends] : [ends, results]
    const allowed = 1500
    const compaction = Compaction.layer({ window: allowed + 100, reserve: 100, target: 0.6, policies })
    let id = 0
    const script = turns.flatMap(({ steps }) => [
      ...steps
        .filter(({ calls }) => calls > 0)
        .map(({ calls, thinks, words }) =>
          turn(
            ...(thinks ? [reasoning("I think")] : []),
            text(long(words)),
            ...Array.from({ length: calls }, () => toolCall("Read", { words }, `call-${id++}`))
          )
        ),
      turn(text("done"))
    ])
    const said = turns.map(({ words }, i) => `${i} ${long(words)}`)
    const { conversation, failure, requests } = yield* converse(said, script, compaction)
    assert.isUndefined(failure)
    const prompts = requests.map(({ prompt }) => prompt)
    for (const prompt of prompts) {
      assert.isAtMost(TokenCount.estimate(prompt), allowed)
      // every call with its result
      const parts = prompt.content.flatMap(({ content }) =>
        typeof content === "string" ? [] : (content as ReadonlyArray<Prompt.Part>)
      )
      const ids = (type: string) => parts.flatMap((part) => (part.type === type && "id" in part ? [part.id] : []))
      assert.deepStrictEqual(ids("tool-call"), ids("tool-result"))
    }
    const begunAnew = prompts.filter((prompt, i) => {
      const before = JSON.stringify(prompts[i - 1]?.content ?? []).slice(0, -1)
      return !JSON.stringify(prompt.content).startsWith(before)
    })
    assert.isAtMost(begunAnew.length, compactedIn(conversation).length)
    const whole = Compaction.expand(conversation)
    assert.deepStrictEqual(whole.filter((message) => message instanceof Message.User).map(String), said)
    for (const compacted of compactedIn(conversation)) {
      if (compacted.kind === "results") continue
      const originals = Compaction.originals(compacted, conversation)
      assert.isTrue(originals.every((message) => whole.includes(message)))
      assert.isAbove(originals.length, 1)
    }
    return true
  })
