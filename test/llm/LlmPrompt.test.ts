/** Messages as prompts: roles, the parts of one response together, and Anthropic's rules as in the Python original. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
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
    const options = (n: number) => ({ anthropic: { signature: `s${n}` } })
    const prompt = LlmPrompt.fromMessages([
      new Reasoning({ content: "", options: options(1), agent: "A", step: 1 }),
      new Message.Assistant({ content: "let me see", options: options(2), agent: "A", step: 1 }),
      new Reasoning({ content: "hm", options: options(3), agent: "A", step: 1 }),
      new ToolCall({ id: "1", name: "T", parameters: {}, agent: "A", step: 1, options: options(4) }),
      new ToolResult({ id: "1", name: "T", result: "ok", isFailure: false, options: options(5) })
    ])
    const parts = prompt.content.flatMap(({ content }): ReadonlyArray<Prompt.Part> =>
      typeof content === "string" ? [] : content
    )
    assert.lengthOf(prompt.content, 2)
    assert.deepStrictEqual(
      parts.map((part) => part.options),
      [1, 2, 3, 4, 5].map(options)
    )
  })

  it.each<readonly [string, ReadonlyArray<Message.Message>, ReadonlyArray<ReadonlyArray<string>>]>([
    [
      "blank texts are left out",
      [Message.user("q"), Message.assistant("\n\n"), Message.system(" "), Message.user("\t"), Message.user("r")],
      [
        ["user", "q"],
        ["user", "r"]
      ]
    ],
    [
      "reasoning that nothing follows is left out",
      [Message.user("q"), new Reasoning({ content: "hm" })],
      [["user", "q"]]
    ],
    [
      "reasoning without a word is left out",
      [new Reasoning({ content: "" }), Message.assistant("a")],
      [["assistant", "a"]]
    ],
    ["a result without a call is left out", [result("1"), Message.user("q")], [["user", "q"]]],
    [
      "a call without a result is left out, and loses nothing that comes later under its id",
      [call("0", 1), Message.user("rather"), call("0", 1), result("0"), Message.assistant("a")],
      [
        ["user", "rather"],
        ["assistant", "0>"],
        ["tool", ">0"],
        ["assistant", "a"]
      ]
    ],
    [
      "ids that come again, or that not every provider takes, are others",
      [
        ...[call("0", 1), result("0"), Message.user("q"), call("0", 1), result("0"), call("0", 2), result("0")],
        ...[call("a.b|c", 3), result("a.b|c"), call("x".repeat(50), 4), result("x".repeat(50))]
      ],
      [
        ["assistant", "0>"],
        ["tool", ">0"],
        ["user", "q"],
        ["assistant", "0_2>"],
        ["tool", ">0_2"],
        ["assistant", "0_3>"],
        ["tool", ">0_3"],
        ["assistant", "a_b_c>"],
        ["tool", ">a_b_c"],
        ["assistant", `${"x".repeat(40)}>`],
        ["tool", `>${"x".repeat(40)}`]
      ]
    ],
    [
      "what a person says while a tool works comes after the result",
      [Message.user("q"), call("1", 1), Message.user("hurry"), result("1"), Message.assistant("a")],
      [
        ["user", "q"],
        ["assistant", "1>"],
        ["tool", ">1"],
        ["user", "hurry"],
        ["assistant", "a"]
      ]
    ],
    [
      "turns at once, whose calls cross, are all there",
      [call("1", 1), call("2", 1, "B"), result("1"), Message.assistant("one"), result("2"), Message.assistant("two")],
      [
        ["assistant", "1>"],
        ["tool", ">1"],
        ["assistant", "2>"],
        ["tool", ">2"],
        ["assistant", "one"],
        ["assistant", "two"]
      ]
    ],
    [
      "an agent that numbers its calls as the one above does is inside of it",
      [call("0", 1), call("0", 1, "B"), Message.text("deep"), result("0"), Message.text("in"), result("0")],
      [
        ["assistant", "0>"],
        ["tool", ">0"]
      ]
    ]
  ])("%s", (_, messages, expected) => {
    assert.deepStrictEqual(lines(LlmPrompt.fromMessages(messages)), expected)
  })

  it("fits the names of tools, takes `developer` for the system, and puts parameters into an object", () => {
    const prompt = LlmPrompt.fromMessages([
      new Critic({ content: "be kind", role: "developer" }),
      new ToolCall({ id: "1", name: "Web Search", parameters: "{'q'" }),
      new ToolResult({ id: "1", name: "Web Search", result: null, isFailure: true })
    ])
    const [system, said, given] = prompt.content
    assert.deepStrictEqual([system?.role, system?.content], ["system", "be kind"])
    assert.deepInclude(said?.content[0], { name: "Web_Search", params: { INVALID_JSON: "{'q'" } })
    assert.deepInclude(given?.content[0], { name: "Web_Search" })
  })

  it("what was said inside of a call that was cut off is no answer of the agent that called", () => {
    const inner = new Message.Assistant({ content: "found by B", agent: "B", step: 1 })
    const talk = [Message.user("Find it"), call("1", 1), call("i", 1, "B"), inner]
    const said = (...more: ReadonlyArray<Message.Message>) =>
      LlmMessage.outermost([...talk, ...more]).flatMap((message) =>
        message instanceof ToolCall ? [] : [String(message)]
      )
    assert.deepStrictEqual(said(), ["Find it"])
    assert.deepStrictEqual(said(Message.user("Again"), Message.text("please")), ["Find it", "Again", "please"])
    // what is said after somebody else has spoken is what it always was
    const own = new Message.Assistant({ content: "I could not", agent: "A", step: 2 })
    assert.deepStrictEqual(said(own, inner), ["Find it", "I could not", "found by B"])
    assert.deepStrictEqual(said(Message.user("Again"), inner), ["Find it", "Again", "found by B"])
    // a call that the provider or the caller runs is cut off by nobody
    for (const by of [{ providerExecuted: true }, { clientExecuted: true }]) {
      const elsewhere = new ToolCall({ id: "1", name: "T", parameters: {}, agent: "A", ...by })
      assert.deepStrictEqual(LlmMessage.outermost([elsewhere, inner]).map(String), [String(elsewhere), "found by B"])
    }
  })

  it("what a tool shows its model in the place of its result is in the prompt", () => {
    const output = [{ type: "file" as const, mediaType: "image/png", data: "aGk=" }]
    const prompt = LlmPrompt.fromMessages([
      call("1", 1),
      new ToolResult({ id: "1", name: "T", result: "a picture", isFailure: false, output })
    ])
    const part = prompt.content[1]?.content[0]
    assert.deepInclude(typeof part === "object" && "modelOutput" in part && part.modelOutput?.[0], output[0])
  })

  const Id = Schema.Literals(["call_0", "call_1", "a b"])
  const Said = Schema.Array(
    Schema.Union([
      Schema.Struct({
        is: Schema.Literals(["User", "Text", "Assistant", "System"]),
        text: Schema.Literals(["", " ", "x"])
      }),
      Schema.Struct({ is: Schema.Literal("Reasoning"), signed: Schema.Boolean }),
      Schema.Struct({
        is: Schema.Literals(["Call", "Result"]),
        id: Id,
        agent: Schema.Literals(["A", "B"]),
        step: Schema.Literals([1, 2])
      })
    ])
  ).check(Schema.isMaxLength(20))

  const messageOf = (said: (typeof Said)["Type"][number], i: number): Message.Message => {
    switch (said.is) {
      case "User":
      case "Text":
      case "Assistant":
      case "System":
        return new Message[said.is]({ content: said.text === "x" ? `x${i}` : said.text })
      case "Reasoning":
        return new Reasoning({ content: "", ...(said.signed ? { options: { p: { signature: "s" } } } : {}) })
      case "Call":
        return new ToolCall({ id: said.id, name: "a tool", parameters: null, agent: said.agent, step: said.step })
      case "Result":
        return new ToolResult({ id: said.id, name: "a tool", result: i, isFailure: false, agent: said.agent })
    }
  }

  it.effect.prop(
    "whatever was said, in whatever order, makes a prompt that is in order, and no word of a person is lost",
    { said: Said },
    ({ said }) =>
      Effect.sync(() => {
        const messages = said.map(messageOf)
        const prompt = LlmPrompt.fromMessages(messages)
        const ids = new Set<string>()
        let open: ReadonlyArray<string> = []
        const users: Array<string> = []
        for (const { content, role } of prompt.content) {
          const parts = typeof content === "string" ? [] : content
          if (open.length > 0) assert.strictEqual(role, "tool")
          const results = parts.flatMap((part) => (part.type === "tool-result" ? [part.id] : []))
          assert.deepStrictEqual(results, open)
          open = parts.flatMap((part) => (part.type === "tool-call" ? [part.id] : []))
          for (const id of open) {
            assert.match(id, /^[\w-]{1,40}$/)
            assert.isFalse(ids.has(id))
            ids.add(id)
          }
          for (const part of parts) {
            if (part.type === "text") assert.notStrictEqual(part.text.trim(), "")
            if (role === "user" && part.type === "text") users.push(part.text)
            if ("name" in part) assert.strictEqual(part.name, "a_tool")
          }
          // a thought without words is something else that the provider wants back
          const isThought = (part: Prompt.Part) => part.type === "reasoning" && part.text.trim() !== ""
          if (role === "assistant") assert.isFalse(parts.every(isThought))
        }
        assert.deepStrictEqual(open, [])
        for (const message of messages) {
          if (message instanceof Message.User && message.content.trim() !== "") assert.include(users, message.content)
        }
      }),
    { arbitrary: { runs: 300, size: 30 } }
  )

  const Turn = Schema.Struct({
    thinks: Schema.Boolean,
    speaks: Schema.Boolean,
    calls: Schema.Array(Schema.Literals(["plain", "agent"])).check(Schema.isMaxLength(3))
  })
  const Turns = Schema.Array(Schema.Array(Turn).check(Schema.isMaxLength(3))).check(Schema.isMaxLength(3))

  it.effect.prop("the prompt of a request is the beginning of those after it", { turns: Turns }, ({ turns }) =>
    Effect.sync(() => {
      const messages: Array<Message.Message> = []
      const asked: Array<ReadonlyArray<unknown>> = []
      const ask = () => asked.push(JSON.parse(JSON.stringify(LlmPrompt.fromMessages(messages).content)) as [])
      for (const [n, steps] of turns.entries()) {
        messages.push(Message.user(`q${n}`))
        ask()
        for (const [i, { calls, speaks, thinks }] of steps.entries()) {
          const said = { agent: "A", step: i + 1 }
          if (thinks) messages.push(new Reasoning({ content: "hm", ...said, options: { p: { signature: "s" } } }))
          if (speaks) messages.push(new Message.Assistant({ content: "let me see", ...said }))
          for (const [k, kind] of calls.entries()) {
            messages.push(new ToolCall({ id: `call_${k}`, name: "T", parameters: {}, ...said }))
            if (kind === "agent") messages.push(call("call_0", 1, "B"), result("call_0"), Message.assistant("inside"))
            messages.push(result(`call_${k}`))
          }
          if (calls.length > 0) ask()
        }
        messages.push(new Message.Assistant({ content: "done", agent: "A", step: steps.length + 1 }))
      }
      const last = JSON.parse(JSON.stringify(LlmPrompt.fromMessages(messages).content)) as []
      for (const prompt of asked) assert.deepStrictEqual(last.slice(0, prompt.length), prompt)
    })
  )

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
