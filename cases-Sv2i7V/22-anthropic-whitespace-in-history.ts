/** Anthropic refuses a text block that is empty, and a message that has nothing but white space. */
import * as L from "./lib.ts"
import { Message } from "miniagents"
const wrong: Array<string> = []
const histories: Record<string, ReadonlyArray<Message.Message>> = {
  "a blank answer in the middle": [Message.user("q"), Message.assistant("\n\n"), Message.user("again")],
  "a blank answer at the end": [Message.user("q"), Message.assistant("  ")],
  "a blank user": [Message.user("q"), Message.assistant("a"), Message.user(" ")]
}
for (const [what, history] of Object.entries(histories)) {
  const server = await L.serve((r, asked) => {
    const texts = (m: any) => m.content.filter((b: any) => b.type === "text")
    const bad = asked.body.messages.some(
      (m: any) =>
        texts(m).some((b: any) => b.text === "") ||
        (m.content.length === texts(m).length && m.content.every((b: any) => b.text.trim() === ""))
    )
    return bad
      ? L.json(r, 400, {
          type: "error",
          error: { type: "invalid_request_error", message: "text content blocks must have something in them" }
        })
      : L.sse(r, L.anthropicReply([L.anthropicText(0, "ok")]))
  })
  const exit = await L.ask(L.assistant(L.anthropic(server)), history)
  if (L.errorOf(exit) !== undefined) wrong.push(`${what}: ${JSON.stringify(server.asked[0]?.body.messages.at(-1))}`)
}
L.verdict("22 a blank message does not make a conversation unusable", wrong)
