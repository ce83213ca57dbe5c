/** Strings, which do not say whose they are, as messages of someone. */
import * as Effect from "effect/Effect"
import { inside, outside } from "../internal/promise.ts"
import * as Message from "../Message.ts"
import * as MessagePromise from "../MessagePromise.ts"
import type * as MiniAgents from "../MiniAgents.ts"

/** Whose a message is. */
export type Role = "user" | "assistant" | "system"

const classes = { user: Message.User, assistant: Message.Assistant, system: Message.System } as const

/** The message as one of a role, if it is a plain text; its tokens come as they come. Any other is left as it is. */
export const saidBy = <E>(
  role: Role,
  promise: MessagePromise.MessagePromise<E>
): Effect.Effect<MessagePromise.MessagePromise<E>, never, MiniAgents.MiniAgents> => {
  const { _tag: tag = "Text", ...known } = promise.known
  if (tag !== "Text") return Effect.succeed(promise)
  const said = (message: Message.Message) =>
    message._tag === "Text" ? new classes[role]({ content: String(message), metadata: message.metadata }) : message
  const { identifier } = classes[role]
  const made = MessagePromise.fromStream(promise, {
    known: { ...known, _tag: identifier },
    whole: () => Effect.map(promise.message, said)
  })
  return Effect.tap(made, (same) =>
    Effect.sync(() => {
      inside(same).maker = promise.origin ?? outside
    })
  )
}
