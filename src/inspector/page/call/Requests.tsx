/** What a call asked models: the prompts as they were sent, the tools that were offered, and what it cost. */
import type { Asked, Detail, Json, Moment } from "../../wire.ts"
import { count, many, money } from "../state/format.ts"
import type { Store } from "../state/store.ts"
import { Failed, Images, imagesIn, Value } from "./Values.tsx"

interface Props {
  readonly detail: Detail
  readonly store: Store
}

export const Requests = ({ detail: { asked, kept }, store }: Props) => (
  <>
    {asked.length + kept.length === 0 ? <p class="empty">This call has asked no model.</p> : null}
    {asked.map((request) => (
      <Request key={request.request} asked={request} store={store} open={asked.length === 1} />
    ))}
    {kept.length === 0 ? null : (
      <section aria-label="Answers from outside">
        <h3>
          Answers from outside <small>as the run keeps them</small>
        </h3>
        {kept.map(({ reused, value, what }, i) => (
          <div key={i} class="tool">
            <code class="toolname">{what}</code> {reused === true ? <Reused /> : null}
            <Value value={value} />
          </div>
        ))}
      </section>
    )}
  </>
)

const Reused = () => (
  <span class="pill" title="Answered as in the run that this one is a rerun of: it cost nothing">
    reused
  </span>
)

interface RequestProps {
  readonly asked: Asked
  readonly store: Store
  readonly open: boolean
}

const Request = ({ asked, open, store }: RequestProps) => {
  const { answered, at, cost, end, lost, model, prompt, reason, response = [], reused, step, tools, usage = {} } = asked
  const { cacheReadTokens = 0, inputTokens = 0, outputTokens = 0, reasoningTokens = 0 } = usage
  return (
    <details class="request" open={open}>
      <summary>
        <strong>Request {step}</strong> <code>{model ?? "a model"}</code>{" "}
        {store.inSteps ? store.time(at) : store.duration((answered ?? store.now) - at)}
        {answered === undefined ? <span class="pill running">running</span> : null}
        {reused === true ? <Reused /> : null}
        {inputTokens + outputTokens > 0 ? ` · ${count(inputTokens)} in, ${count(outputTokens)} out` : ""}
        {reasoningTokens > 0 ? ` (${count(reasoningTokens)} of them reasoning)` : ""}
        {cost === undefined ? "" : ` · ${money(cost)}`}
        {reason === undefined ? "" : ` · ${reason}`}
      </summary>
      {inputTokens > 0 ? <Cached part={cacheReadTokens / inputTokens} /> : null}
      {lost.map(({ event, reason, what }, i) => (
        <p key={i} class="lost">
          <span class="pill waiting">{event === "model.fallback" ? "fallback" : "retry"}</span> {reason}: {what}
        </p>
      ))}
      <Failed end={end} />
      {tools.length === 0 ? null : <Tools tools={tools} />}
      {store.inSteps ? <p class="hint">The prompt is not kept with a run.</p> : null}
      {prompt.map((message, i) => (
        <PromptMessage key={i} message={message} />
      ))}
      {response.length === 0 ? null : <ResponseView response={response} />}
    </details>
  )
}

const Tools = ({ tools }: Pick<Asked, "tools">) => (
  <details>
    <summary>{many(tools.length, "tool")} offered</summary>
    {tools.map(({ description, name, parameters }) => (
      <div key={name} class="tool">
        <code class="toolname">{name}</code> {description}
        {parameters === undefined ? null : <Value value={parameters} />}
      </div>
    ))}
  </details>
)

/** What a model answered, its texts joined. */
const ResponseView = ({ response }: { readonly response: ReadonlyArray<Moment> }) => {
  const said = saidIn(response.flatMap(({ parts }) => parts))
  return (
    <article class="message assistant" aria-label="Response">
      <header>
        <strong>response</strong>
      </header>
      {said.map((part, i) =>
        typeof part === "string" ? (
          <pre key={i} class="text">
            {part}
          </pre>
        ) : (
          <Value key={i} value={part} />
        )
      )}
    </article>
  )
}

/** The texts and the calls of a response; what only frames them is left out. */
const saidIn = (parts: ReadonlyArray<Json>): ReadonlyArray<Json> => {
  const said: Array<Json> = []
  const add = (text: string) => {
    const last = said.at(-1)
    if (typeof last === "string") said[said.length - 1] = last + text
    else said.push(text)
  }
  for (const part of parts as unknown as ReadonlyArray<ResponsePart>) {
    const { delta, deltas, name, params, text, type } = part
    if (type === "text-delta" || type === "reasoning-delta") add(delta ?? "")
    else if (type === "text-deltas") add((deltas ?? []).join(""))
    else if (type === "text" || type === "reasoning") add(text ?? "")
    else if (type === "tool-call") said.push({ [name ?? "tool"]: params ?? null })
  }
  return said
}

interface ResponsePart {
  readonly type: string
  readonly text?: string
  readonly delta?: string
  readonly deltas?: ReadonlyArray<string>
  readonly name?: string
  readonly params?: Json
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
