/** What an agent on a model could reply, as data: texts, thoughts, tools with what happens in them, calls of the client's. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Message, type MessageInput, MessagePromise, MessageSequence, type MiniAgents } from "miniagents"
import { LlmMessage } from "miniagents/llm"

export interface Said {
  readonly kind: "text" | "tokens" | "data" | "thought" | "tool" | "client" | "custom" | "person"
  readonly text: string
  readonly tokens: number
  readonly inside: ReadonlyArray<Said>
}

const Said: Schema.Codec<Said> = Schema.Struct({
  kind: Schema.Literals(["text", "tokens", "data", "thought", "tool", "client", "custom", "person"]),
  text: Schema.String,
  tokens: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })),
  inside: Schema.Array(Schema.suspend((): Schema.Codec<Said> => Said))
})

export const Talk = Schema.Array(Said)

/** A class that those who read a transcript do not know. */
export class Weather extends Message.Class<Weather>()("Weather", { degrees: Schema.Int }) {}

type Input = Effect.Effect<MessageInput.MessageInput<never>, never, MiniAgents.MiniAgents>

const inputOf = ({ inside, kind, text, tokens }: Said, at: string): Input => {
  switch (kind) {
    case "text":
      return Effect.succeed(Message.assistant(text))
    case "person":
      return Effect.succeed(Message.user(text))
    case "tokens": {
      const pieces = Stream.rechunk(Stream.fromIterable(Array.from({ length: tokens }, (_, i) => `${text}${i}😀`)), 1)
      const known = { _tag: "Assistant", usage: { inputTokens: 2, outputTokens: tokens } } as const
      return MessagePromise.fromStream(
        Stream.tap(pieces, () => Effect.yieldNow),
        { known }
      )
    }
    case "data":
      return Effect.succeed(Message.data({ [text]: tokens }))
    case "custom":
      return Effect.succeed(new Weather({ degrees: tokens }))
    case "thought":
      return Effect.succeed(new LlmMessage.Reasoning({ content: text }))
    case "client":
      return Effect.succeed(
        new LlmMessage.ToolCall({ id: `call-${at}`, name: "locate", parameters: { text }, clientExecuted: true })
      )
    case "tool":
      return Effect.gen(function* () {
        const within = yield* MessageSequence.aside(yield* all(inside, at))
        return [
          new LlmMessage.ToolCall({ id: at, name: "Tool", parameters: {} }),
          within,
          new LlmMessage.ToolResult({ id: at, name: "Tool", result: text, isFailure: false })
        ]
      })
  }
}

const all = (talk: ReadonlyArray<Said>, at: string) =>
  Effect.forEach(talk, (said, i) => inputOf(said, `${at}.${i}`) as Effect.Effect<string, never, MiniAgents.MiniAgents>)

/** The replies. */
export const replies = (
  talk: ReadonlyArray<Said>
): Effect.Effect<MessageSequence.MessageSequence<unknown>, never, MiniAgents.MiniAgents> =>
  Effect.flatMap(all(talk, "0"), (input) => MessageSequence.from(input))
