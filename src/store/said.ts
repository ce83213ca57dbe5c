/** Messages of a conversation with the calls that made them. */
import * as Schema from "effect/Schema"
import * as Message from "../Message.ts"

/**
 * A message and the call that made it, as a conversation has it that knows. Who reads the conversation is given the
 * message: it is kept once, whoever says it.
 */
export class Said extends Message.Class<Said>()("miniagents/Said", {
  message: Message.Any,
  path: Schema.String,
  agent: Schema.String,
  run: Schema.String
}) {}

export const messageOf = (said: Message.Message): Message.Message => (said instanceof Said ? said.message : said)
