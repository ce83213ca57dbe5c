/** What a call asked models: the prompts as they were sent, the tools that were offered, and what it cost. */
import type { Asked, Json } from "../../wire.ts"
import { count, many, money, time } from "../state/format.ts"
import { Failed, Images, imagesIn, Value } from "./Values.tsx"

export const Requests = ({ asked, now }: { readonly asked: ReadonlyArray<Asked>; readonly now: number }) =>
  asked.length === 0 ? (
    <p class="empty">This call has asked no model.</p>
  ) : (
    <>
      {asked.map((request) => (
        <Request key={request.request} asked={request} now={now} open={asked.length === 1} />
      ))}
    </>
  )

const Request = ({ asked, now, open }: { readonly asked: Asked; readonly now: number; readonly open: boolean }) => {
  const { answered, at, cost, end, model, prompt, reason, step, tools, usage = {} } = asked
  const { cacheReadTokens = 0, inputTokens = 0, outputTokens = 0, reasoningTokens = 0 } = usage
  return (
    <details class="request" open={open}>
      <summary>
        <strong>Request {step}</strong> <code>{model ?? "a model"}</code> {time((answered ?? now) - at)}
        {answered === undefined ? <span class="pill running">running</span> : null}
        {inputTokens + outputTokens > 0 ? ` · ${count(inputTokens)} in, ${count(outputTokens)} out` : ""}
        {reasoningTokens > 0 ? ` (${count(reasoningTokens)} of them reasoning)` : ""}
        {cost === undefined ? "" : ` · ${money(cost)}`}
        {reason === undefined ? "" : ` · ${reason}`}
      </summary>
      {inputTokens > 0 ? <Cached part={cacheReadTokens / inputTokens} /> : null}
      <Failed end={end} />
      {tools.length === 0 ? null : (
        <details>
          <summary>{many(tools.length, "tool")} offered</summary>
          {tools.map(({ description, name, parameters }) => (
            <div key={name} class="tool">
              <code class="toolname">{name}</code> {description}
              {parameters === undefined ? null : <Value value={parameters} />}
            </div>
          ))}
        </details>
      )}
      {prompt.map((message, i) => (
        <PromptMessage key={i} message={message} />
      ))}
    </details>
  )
}

const Cached = ({ part }: { readonly part: number }) => (
  <div class="cached" title="How much of the prompt came from the provider's cache">
    <i style={{ width: `${part * 100}%` }} /> <small>{Math.round(part * 100)} % cached</small>
  </div>
)

const PromptMessage = ({ message }: { readonly message: Json }) => {
  const { content, role } = message as { readonly role: string; readonly content: Json }
  const parts = Array.isArray(content) ? (content as ReadonlyArray<Json>) : [content]
  const tag = role === "user" ? "user" : role === "system" ? "system" : role === "tool" ? "toolresult" : "assistant"
  return (
    <article class={`message ${tag}`}>
      <header>
        <strong>{role}</strong>
      </header>
      {parts.map((part, i) => (
        <Part key={i} part={part} />
      ))}
    </article>
  )
}

const Part = ({ part }: { readonly part: Json }) => {
  if (typeof part === "string") return <pre class="text">{part}</pre>
  if (imagesIn(part).length > 0) return <Images of={part} />
  const { text } = part as { readonly text?: Json }
  return typeof text === "string" ? <pre class="text">{text}</pre> : <Value value={part} />
}
