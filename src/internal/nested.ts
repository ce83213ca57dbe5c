/** What stands inside of a message, at any depth. */
import type { Message } from "../Message.ts"
import * as Pages from "./pages.ts"
import * as References from "./references.ts"

/** What messages are, and which of them are gone into. */
interface Rules {
  readonly isMessage: (value: unknown) => value is Message
  /** It holds no other message. */
  readonly isPlain: (message: Message) => boolean
  readonly leaveOut: (message: Message) => boolean
  readonly lastPage: (list: ReadonlyArray<Message>) => Message
}

/** The messages inside, depth first, each after the ones that it holds itself, and pages of what is longer than one. */
export const inside = (message: Message, rules: Rules): ReadonlyArray<Message> => {
  const { isMessage, isPlain, lastPage, leaveOut } = rules
  const found: Array<Message> = []
  const seen = new Set<unknown>()
  // a stack of our own: a long conversation may be as deep as it is long
  const pending: Array<() => void> = []
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return
    seen.add(value)
    if (isMessage(value) && value !== message) {
      if (leaveOut(value)) return
      pending.push(() => found.push(value))
    }
    if (isMessage(value) && isPlain(value)) return
    if (Array.isArray(value) && References.isPaged(value) && References.isReference(value, isMessage)) {
      const list = value as unknown as ReadonlyArray<Message>
      for (const item of list.slice(Pages.onPages(list.length)).reverse()) pending.push(() => visit(item))
      return visit(lastPage(list))
    }
    for (const field of Object.values(value).reverse()) pending.push(() => visit(field))
  }
  visit(message)
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) next()
  return found
}
