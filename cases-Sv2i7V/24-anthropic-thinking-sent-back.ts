/** Signed thinking, also with its text left out, goes back unchanged before the call it led to. */
import * as L from "./lib.ts"
const wrong: Array<string> = []
for (const thought of ["hm", ""]) {
  const e = L.anthropicEvent
  const server = await L.serve((r, asked, n) => {
    if (n > 1) {
      const content = asked.body.messages[1]?.content ?? []
      if (
        content[0]?.type !== "thinking" ||
        content[0].thinking !== thought ||
        content[0].signature !== "SIG" ||
        content[1]?.type !== "tool_use"
      )
        return L.json(r, 400, {
          type: "error",
          error: { type: "invalid_request_error", message: `expected thinking first, got ${JSON.stringify(content)}` }
        })
      return L.sse(r, L.anthropicReply([L.anthropicText(0, "done")]))
    }
    return L.sse(
      r,
      L.anthropicReply(
        [
          [
            e({
              type: "content_block_start",
              index: 0,
              content_block: { type: "thinking", thinking: "", signature: "" }
            }),
            ...(thought
              ? [e({ type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: thought } })]
              : []),
            e({ type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "SIG" } }),
            e({ type: "content_block_stop", index: 0 })
          ],
          [
            e({
              type: "content_block_start",
              index: 1,
              content_block: { type: "tool_use", id: "toolu_1", name: "clock", input: {} }
            }),
            e({ type: "content_block_stop", index: 1 })
          ]
        ],
        "tool_use"
      )
    )
  })
  const exit = await L.ask(L.assistant(L.anthropic(server)), "hi")
  if (L.errorOf(exit) !== undefined) wrong.push(L.short(L.errorOf(exit)))
}
L.verdict("24 signed thinking goes back with the call", wrong)
