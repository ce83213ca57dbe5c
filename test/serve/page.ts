/** A page on `useChat`, as its users write it; its agent is named in the address. */
import { useChat } from "@ai-sdk/react"
import {
  DefaultChatTransport,
  isToolUIPart,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  type UIMessage
} from "ai"
import { createElement as h } from "react"
import { createRoot } from "react-dom/client"

/** What it needs of a browser, which the other tests know nothing of. */
const { document, location } = globalThis as unknown as {
  readonly document: { readonly getElementById: (id: string) => Parameters<typeof createRoot>[0] }
  readonly location: { readonly pathname: string }
}

const api = location.pathname.replace("/page", "")
const transport = new DefaultChatTransport({ api })

const Part = ({ answer, part }: { answer: (id: string) => void; part: UIMessage["parts"][number] }) => {
  if (part.type === "text" || part.type === "reasoning") return h("p", { className: part.type }, part.text)
  if (!isToolUIPart(part)) return null
  const { approval, state } = part
  const ask =
    state === "approval-requested" && h("button", { id: "approve", onClick: () => answer(approval.id) }, "Yes")
  return h("p", { className: "tool" }, `${part.type} ${state}`, ask)
}

const Page = () => {
  const { addToolApprovalResponse, error, messages, sendMessage, status } = useChat({
    id: "browser",
    transport,
    resume: true,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses
  })
  const answer = (id: string) => void addToolApprovalResponse({ id, approved: true })
  const parts = messages.flatMap((message) =>
    message.parts.map((part, i) => h(Part, { key: `${message.id} ${i}`, part, answer }))
  )
  const send = h("button", { id: "send", onClick: () => void sendMessage({ text: "go" }) }, "Send")
  return h("main", null, send, h("output", null, error === undefined ? status : error.message), parts)
}

createRoot(document.getElementById("page")).render(h(Page))
