/** Messages as prompts: roles, the parts of one response together, and Anthropic's rules as in the Python original. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Prompt } from "effect/ai"
import { Message } from "miniagents"
import { LlmMessage, LlmPrompt } from "miniagents/llm"

const { Reasoning, ToolCall, ToolResult } = LlmMessage

/** A prompt as `[role, text or part, ...]` lines. */
const lines = (prompt: Prompt.Prompt) =>
  prompt.content.map(({ content, role }) =>
    typeof content === "string" ? [role, content] : [role, ...content.map(partOf)]
  )

const partOf = (part: Prompt.Part) => {
  if (part.type === "text") return part.text
  if (part.type === "reasoning") return `(${part.text})`
  if (part.type === "tool-call") return `${part.id}>`
  return part.type === "tool-result" ? `>${part.id}` : part.type
}

class Critic extends Message.Class<Critic>()("Critic", { content: Schema.String, role: Schema.String }) {}
class Review extends Message.Class<Review>()("Review", { stars: Schema.Int }) {}

const call = (id: string, step: number, agent = "A") => new ToolCall({ id, name: "T", parameters: {}, agent, step })
const result = (id: string) => new ToolResult({ id, name: "T", result: "ok", isFailure: false })

describe("LlmPrompt", () => {
  it("gives every message its role and text", () => {
    const joined = new Message.Joined({ content: "a, b", originals: [Message.text("a"), Message.text("b")] })
    assert.deepStrictEqual(
      lines(
        LlmPrompt.fromMessages(
          [
            Message.user("u"),
            Message.text("t"),
            Message.assistant("a"),
            Message.system("s"),
            Message.data({ n: 1 }),
            joined,
            new Critic({ content: "no", role: "assistant" }),
            new Review({ stars: 2 })
          ],
          { system: "first" }
        )
      ),
      [
        ["system", "first"],
        ["user", "u"],
        ["user", "t"],
        ["assistant", "a"],
        ["system", "s"],
        ["user", '```json\n{\n  "n": 1\n}\n```'],
        ["user", "a, b"],
        ["assistant", "no"],
        ["user", '```json\n{\n  "stars": 2\n}\n```']
      ]
    )
  })

  it("puts reasoning, text and calls of one response together, and the results after all of them", () => {
    assert.deepStrictEqual(
      lines(
        LlmPrompt.fromMessages([
          Message.user("go"),
          new Reasoning({ content: "hm" }),
          Message.assistant("let me see"),
          call("1", 1),
          result("1"),
          call("2", 1),
          result("2"),
          call("3", 2),
          result("3"),
          Message.assistant("done"),
          Message.assistant("really")
        ])
      ),
      [
        ["user", "go"],
        ["assistant", "(hm)", "let me see", "1>", "2>"],
        ["tool", ">1", ">2"],
        ["assistant", "3>"],
        ["tool", ">3"],
        ["assistant", "done"],
        ["assistant", "really"]
      ]
    )
  })

  it("keeps what a provider wants to see again", () => {
    const options = { anthropic: { signature: "s" } }
    const prompt = LlmPrompt.fromMessages([new Reasoning({ content: "hm", options })])
    const [message] = prompt.content
    assert.deepStrictEqual(message?.role === "assistant" && message.content[0]?.options, options)
  })

  it("the messages of models are stored and read back like all others", () => {
    const codec = Message.codec(LlmMessage.classes)
    const options = { anthropic: { signature: "s" } }
    for (const message of [new Reasoning({ content: "hm", options }), call("1", 1), result("1")]) {
      const read = Schema.decodeSync(codec)(Schema.encodeSync(codec)(message))
      assert.deepEqual(read, message)
      assert.strictEqual(read.hashKey, message.hashKey)
    }
  })

  it("leaves out what was said inside a tool call, at any depth, and calls that were never answered", () => {
    const messages = [
      call("1", 1),
      Message.text("inside"),
      call("in", 1, "B"),
      Message.text("deep"),
      result("in"),
      Message.assistant("inside too"),
      result("1"),
      call("never", 2),
      Message.user("next")
    ]
    assert.deepStrictEqual(lines(LlmPrompt.fromMessages(messages)), [
      ["assistant", "1>"],
      ["tool", ">1"],
      ["user", "next"]
    ])
    assert.deepStrictEqual(
      LlmMessage.scopes(messages).map(({ calls }) => calls.map((call) => call.id).join("/")),
      ["", "1", "1", "1/in", "1", "1", "", "", ""]
    )
  })

  it("merges neighbours of the same role with a blank line, or a delimiter of one's own", () => {
    const prompt = LlmPrompt.fromMessages([
      Message.user("a"),
      Message.text("b"),
      Message.assistant("c"),
      Message.assistant("d"),
      Message.user("e"),
      Message.system("f"),
      Message.system("g")
    ])
    assert.deepStrictEqual(lines(LlmPrompt.mergeNeighbours(prompt)), [
      ["user", "a\n\nb"],
      ["assistant", "c\n\nd"],
      ["user", "e"],
      ["system", "f\n\ng"]
    ])
    assert.deepStrictEqual(lines(LlmPrompt.mergeNeighbours(prompt, " + "))[0], ["user", "a + b"])
  })

  it("merging changes nothing the second time", () => {
    const prompt = LlmPrompt.fromMessages([Message.user("a"), Message.user("b"), call("1", 1), result("1")])
    const once = LlmPrompt.mergeNeighbours(prompt)
    assert.deepStrictEqual(lines(LlmPrompt.mergeNeighbours(once)), lines(once))
  })

  it.each([
    [
      "starts with the user where the assistant is first",
      [Message.assistant("a")],
      [
        ["user", "/start"],
        ["assistant", "a"]
      ]
    ],
    ["leaves a first message of the user alone", [Message.user("u")], [["user", "u"]]],
    [
      "gathers the system messages first, and does not count them",
      [Message.system("s"), Message.assistant("a"), Message.system("t"), Message.assistant("b")],
      [
        ["system", "s\n\nt"],
        ["user", "/start"],
        ["assistant", "a\n\nb"]
      ]
    ],
    ["starts with the user where nobody said anything", [], [["user", "/start"]]]
  ])("Anthropic's rule %s", (_, messages, expected) => {
    assert.deepStrictEqual(lines(LlmPrompt.anthropic(LlmPrompt.fromMessages(messages))), expected)
  })
})
