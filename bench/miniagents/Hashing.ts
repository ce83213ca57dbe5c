/** S11: the hash keys of messages, and `Equal` on messages. */
import { Message } from "miniagents"
import { comparing, content, hashing } from "../floors/Hashing.ts"

const message = (i: number): Message.Message => Message.user(content(i).text, content(i).metadata)

export const hashKeys = hashing(message, ({ hashKey }) => hashKey)
export const equalMessages = comparing(message)
