/**
 * Messages with fields of their own, which can hold other messages; and the three roles in a conversation with a model.
 *
 * Run: node --conditions=miniagents-source examples/basics/custom-messages.ts
 *
 * Prints:
 *   Custom Value
 *   2 of 5 stars for "It was a dark night"
 *   the same review again: true
 *   User: Hello!
 *   System: Answer in one sentence
 *   Assistant: Hi.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Equal, Schema } from "effect"
import { Agent, Message, MiniAgents } from "miniagents"

class CustomMessage extends Message.Class<CustomMessage>()("CustomMessage", { customField: Schema.String }) {}

class Review extends Message.Class<Review>()("Review", { draft: Message.Text, stars: Schema.Int }) {
  override toString(): string {
    return `${this.stars} of 5 stars for "${this.draft.content}"`
  }
}

const critic = Agent.make(
  "Critic",
  Effect.fnUntraced(function* (ctx) {
    const drafts = yield* ctx.messages.messages
    yield* ctx.reply(
      drafts.filter((draft) => draft instanceof Message.Text).map((draft) => new Review({ draft, stars: 2 }))
    )
  })
)

export const program = Effect.gen(function* () {
  const message = new CustomMessage({ customField: "Custom Value" })
  yield* Console.log(message.customField)

  const [review] = yield* (yield* critic.trigger("It was a dark night")).messages
  yield* Console.log(String(review))
  const same = new Review({ draft: Message.text("It was a dark night"), stars: 2 })
  yield* Console.log(`the same review again: ${Equal.equals(review, same) && review.hashKey === same.hashKey}`)

  const prompt = [Message.user("Hello!"), Message.system("Answer in one sentence"), Message.assistant("Hi.")]
  for (const { _tag, content } of prompt) yield* Console.log(`${_tag}: ${content}`)
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
