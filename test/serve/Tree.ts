/** Random runs as trees of what agents, models and tools say: how they are made, and what a reader must see of them. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, Message, MessagePromise, MessageSequence, type MiniAgents, Transcript } from "miniagents"
import { LlmMessage } from "miniagents/llm"

export type Node =
  | { readonly _tag: "Said"; readonly as: "Text" | "Assistant" | "Reasoning"; readonly tokens: ReadonlyArray<string> }
  | { readonly _tag: "Data"; readonly value: number }
  | { readonly _tag: "Broken"; readonly tokens: ReadonlyArray<string> }
  | { readonly _tag: "Agent"; readonly name: string; readonly inside: ReadonlyArray<Node> }
  | {
      readonly _tag: "Tool"
      readonly id: string
      readonly name: string
      readonly ends: "well" | "badly" | "denied" | "never"
      readonly inside: ReadonlyArray<Node>
    }

const Inside = Schema.Array(Schema.suspend((): Schema.Codec<Node> => Node))
const Tokens = Schema.Array(Schema.Literals(["one ", "two\n", "😀", "", "data: x\n\n"]))
const Name = Schema.Literals(["Search", "Write"])

export const Node: Schema.Codec<Node> = Schema.Union([
  Schema.TaggedStruct("Said", { as: Schema.Literals(["Text", "Assistant", "Reasoning"]), tokens: Tokens }),
  Schema.TaggedStruct("Data", { value: Schema.Literals([1, 2]) }),
  Schema.TaggedStruct("Broken", { tokens: Tokens }),
  Schema.TaggedStruct("Agent", { name: Name, inside: Inside }),
  Schema.TaggedStruct("Tool", {
    id: Schema.Literals(["1", "2"]),
    name: Name,
    ends: Schema.Literals(["well", "badly", "denied", "never"]),
    inside: Inside
  })
])

export const Nodes = Schema.Array(Node)
export const End = Schema.Literals(["ok", "ok", "ok", "fail", "die", "interrupt"])

export class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {
  override get message(): string {
    return `refused by ${this.by}`
  }
}

type Input = Stream.Stream<string, Refused>

/** An agent that replies with a tree. */
export const agentOf = (name: string, nodes: ReadonlyArray<Node>, end: typeof End.Type = "ok") =>
  Agent.make(
    name,
    Effect.fnUntraced(function* (ctx) {
      let step = 1
      for (const node of nodes) {
        yield* ctx.reply(yield* inputOf(node, name, step))
        if (node._tag === "Tool") step++
      }
      if (end === "fail") return yield* new Refused({ by: name })
      if (end === "die") return yield* Effect.die(new Error("secret"))
      if (end === "interrupt") return yield* Effect.interrupt
    })
  )

const inputOf = (node: Node, agent: string, step: number): Effect.Effect<Input, never, MiniAgents.MiniAgents> =>
  Effect.map(make(node, agent, step), (input) => input as unknown as Input) // its own type is too deep

const make = (node: Node, agent: string, step: number) =>
  Effect.gen(function* () {
    const said = { agent, step }
    switch (node._tag) {
      case "Said": {
        const content = node.tokens.join("")
        if (node.as === "Text") return yield* promiseOf(node.tokens, { _tag: "Text" })
        if (node.as === "Reasoning") return new LlmMessage.Reasoning({ content, ...said })
        return new Message.Assistant({ content, ...said, usage: { inputTokens: 2, outputTokens: 1 } })
      }
      case "Data":
        return Message.data({ value: node.value })
      case "Broken":
        return yield* MessageSequence.from([
          yield* agentOf("Breaking", [{ _tag: "Said", as: "Text", tokens: node.tokens }], "fail").trigger(
            [],
            {},
            { errorsAsMessages: true }
          )
        ])
      case "Agent":
        return yield* agentOf(node.name, node.inside).trigger()
      case "Tool": {
        const call = new LlmMessage.ToolCall({ id: node.id, name: node.name, parameters: { n: 1 }, ...said })
        const replies = yield* agentOf(node.name, node.inside).trigger()
        const inside = yield* MessageSequence.aside(replies as unknown as Input)
        return yield* MessageSequence.from([call, inside, ...resultOf(node, said)])
      }
    }
  })

const promiseOf = (tokens: ReadonlyArray<string>, known: Message.Known) =>
  MessagePromise.fromStream(Stream.rechunk(Stream.fromIterable(tokens), 1), { known })

const resultOf = ({ ends, id, name }: Extract<Node, { _tag: "Tool" }>, said: object) => {
  const result =
    ends === "well" ? "found" : ends === "badly" ? { wrong: true } : { type: "execution-denied", reason: "no" }
  return ends === "never" ? [] : [new LlmMessage.ToolResult({ id, name, result, isFailure: ends !== "well", ...said })]
}

/** The tokens of a message, as far as it came. */
export const tokensOf = (promise: MessagePromise.MessagePromise<unknown>) =>
  Effect.gen(function* () {
    let text = ""
    yield* Effect.exit(Stream.runForEach(promise, (token) => Effect.sync(() => void (text += token))))
    return text
  })

/** The events of what an agent replies. */
export const eventsOf = (nodes: ReadonlyArray<Node>, end?: typeof End.Type) =>
  Effect.gen(function* () {
    const replies = yield* agentOf("Root", nodes, end).trigger()
    return { replies, events: yield* Stream.runCollect(Transcript.encode(replies)) }
  })
