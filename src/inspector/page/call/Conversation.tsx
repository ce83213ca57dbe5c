/** What a call was sent and what it replied, as a conversation, while it is said. */
import { useEffect, useRef } from "preact/hooks"
import type { Detail, Fields, Json, Row, Said } from "../../wire.ts"
import { count, many } from "../state/format.ts"
import { isOpen } from "../state/model.ts"
import type { Store } from "../state/store.ts"
import { Fork } from "./Fork.tsx"
import { Waits } from "./Waits.tsx"
import { Failed, Images, imagesIn, Value } from "./Values.tsx"

interface Props {
  readonly detail: Detail
  readonly messages: ReadonlyMap<number, Said>
  readonly row: Row
  readonly store: Store
}

export const Conversation = ({ detail, messages, row, store }: Props) => {
  const bottom = useStickToBottom(store, isOpen(row))
  const { parameters, replied, repliedBefore, returned, sent, sentBefore, spoken } = detail
  const hasParameters = JSON.stringify(parameters) !== "{}"
  const show = (numbers: ReadonlyArray<number>) => (
    <Messages numbers={numbers} messages={messages} row={row} store={store} />
  )
  return (
    <>
      {hasParameters ? (
        <section aria-label="Parameters">
          <h3>Parameters</h3>
          <Value value={parameters} />
        </section>
      ) : null}
      <section aria-label="Sent">
        <h3>
          Sent <small>{many(row.sent, "message")}</small>
        </h3>
        <Before n={sentBefore} />
        {show(sent)}
      </section>
      <section aria-label="Replied">
        <h3>
          Replied <small>{many(row.replied, "message")}</small>
        </h3>
        <Before n={repliedBefore} />
        {show(replied)}
      </section>
      <Waits waits={detail.waits} call={row.id} store={store} />
      <Failed end={returned?.is === "failed" ? returned : spoken} />
      <div ref={bottom} />
    </>
  )
}

const Before = ({ n }: { readonly n: number }) =>
  n === 0 ? null : <p class="hint">{many(n, "message")} before these</p>

/** Who reads at the end sees what comes; who has scrolled up stays there. What is over is read from its beginning. */
const useStickToBottom = (store: Store, isOpen: boolean) => {
  const bottom = useRef<HTMLDivElement>(null)
  const sticks = useRef(isOpen)
  useEffect(() => {
    const content = bottom.current?.closest(".content")
    if (content === null || content === undefined) return undefined
    const look = () => {
      sticks.current = content.scrollHeight - content.scrollTop - content.clientHeight < 40
    }
    content.addEventListener("scroll", look, { passive: true })
    return () => content.removeEventListener("scroll", look)
  }, [])
  const { version } = store.model
  useEffect(() => {
    const content = bottom.current?.closest(".content")
    if (store.pointed !== undefined) {
      const message = document.getElementById(`message-${store.pointed}`)
      if (message === null) return
      message.scrollIntoView({ block: "center" })
      sticks.current = false
      store.pointed = undefined
    } else if (sticks.current && content) content.scrollTop = content.scrollHeight
  }, [version, store])
  return bottom
}

interface MessagesProps {
  readonly numbers: ReadonlyArray<number>
  readonly messages: ReadonlyMap<number, Said>
  readonly row: Row
  readonly store: Store
}

export const Messages = ({ messages, numbers, row, store }: MessagesProps) => {
  const said = numbers.flatMap((at) => messages.get(at) ?? [])
  const results = new Map<Json | undefined, Said>()
  for (const each of said) if (each.fields._tag === "ToolResult") results.set(each.fields.id, each)
  const calls = new Set(said.filter(({ fields }) => fields._tag === "ToolCall").map(({ fields }) => fields.id))
  return (
    <>
      {said.map((each) => {
        if (each.fields._tag === "ToolResult" && calls.has(each.fields.id)) return null
        return <Message key={each.at} said={each} result={results.get(each.fields.id)} row={row} store={store} />
      })}
    </>
  )
}

interface MessageProps {
  readonly said: Said
  readonly result: Said | undefined
  readonly row: Row
  readonly store: Store
}

const Message = ({ result, row, said, store }: MessageProps) => {
  const tag = String(said.fields._tag ?? "Text")
  const streams = said.ended === undefined
  const by = store.model.rows.get(said.by ?? -1)
  const model = said.fields.model
  return (
    <article
      id={`message-${said.at}`}
      class={`message ${tag.toLowerCase()} ${said.broken === true ? "broken" : ""}`}
      aria-busy={streams}
    >
      <header>
        <strong>{tag}</strong>
        {by !== undefined && by.id !== row.id ? (
          <button class="link" onClick={() => store.select(by.id, said.at)}>
            {by.agent}
          </button>
        ) : null}
        {typeof model === "string" ? <small>{model}</small> : null}
        <span class="grow" />
        <Fork said={said} store={store} />
        <Made said={said} store={store} />
      </header>
      <Body said={said} tag={tag} result={result} streams={streams} />
      {said.broken === true ? (
        <p class="failed">
          {said.failure === undefined ? "interrupted here" : `${said.failure.error}: ${said.failure.reason}`}
        </p>
      ) : null}
      <Readers said={said} row={row} store={store} />
    </article>
  )
}

const Made = ({ said, store }: { readonly said: Said; readonly store: Store }) => {
  const { ended, hashKey, opened } = said
  const took = (ended ?? store.now) - opened
  return (
    <small class="made">
      {store.time(opened)}
      {took > 0 ? ` + ${store.duration(took)}` : ""}
      {hashKey === undefined ? null : (
        <button
          class="hash"
          title={`Copy the hash key ${hashKey}`}
          onClick={() => void navigator.clipboard.writeText(hashKey)}
        >
          {hashKey.slice(0, 7)}
        </button>
      )}
    </small>
  )
}

interface BodyProps {
  readonly said: Said
  readonly tag: string
  readonly result: Said | undefined
  readonly streams: boolean
}

const Body = ({ result, said, streams, tag }: BodyProps) => {
  const { fields, text } = said
  if (tag === "Failure") return <FailureText fields={fields} text={text} />
  if (tag === "ToolCall") return <ToolCall fields={fields} result={result} />
  if (tag === "ToolResult") return <ToolResult fields={fields} />
  const decision = tag === "ResponsePart" ? decisionIn(fields.part) : undefined
  if (decision !== undefined) return <p class="hint">{decision}</p>
  const shown = (
    <pre class="text">
      {text}
      {streams ? <span class="cursor" aria-hidden="true" /> : null}
    </pre>
  )
  if (imagesIn(fields).length > 0) {
    return (
      <>
        {text === "" ? null : shown}
        <Images of={fields} />
      </>
    )
  }
  if (tag === "Reasoning") {
    return (
      <details open={streams}>
        <summary>{count(text.length)} characters of reasoning</summary>
        {shown}
      </details>
    )
  }
  const { _tag, agent: _agent, metadata: _metadata, model: _model, step: _step, usage: _usage, ...rest } = fields
  if (text === "" && !streams) return <Value value={rest} />
  return shown
}

/** A question whether a tool may be called, or the answer to it, in words. */
const decisionIn = (part: Json | undefined): string | undefined => {
  const { approved, parameters, reason, type } = (part ?? {}) as Fields
  if (type === "tool-approval-request") return "asks whether it may"
  if (type !== "tool-approval-response") return undefined
  if (approved !== true) return `denied${typeof reason === "string" ? `: ${reason}` : ""}`
  return parameters === undefined ? "approved" : "approved, with other parameters"
}

/** What was said before something failed, and what it was. */
const FailureText = ({ fields, text }: { readonly fields: Fields; readonly text: string }) => {
  const { error, reason, trace } = fields
  return (
    <>
      {text === "" ? null : <pre class="text">{text}</pre>}
      <strong class="failed">{String(error)}</strong> {String(reason)}
      {Array.isArray(trace) && trace.length > 0 ? <p class="hint">through {trace.join(" ← ")}</p> : null}
    </>
  )
}

const ToolCall = ({ fields, result }: { readonly fields: Fields; readonly result: Said | undefined }) => (
  <div class="tool">
    <code class="toolname">{String(fields.name)}</code>
    <Value value={fields.parameters ?? null} />
    {result === undefined ? <p class="hint">no result yet</p> : <ToolResult fields={result.fields} />}
  </div>
)

const ToolResult = ({ fields }: { readonly fields: Fields }) => (
  <div class={fields.isFailure === true ? "trouble" : "result"}>
    <small>{fields.isFailure === true ? "failed" : "result"}</small>
    <Value value={fields.result ?? null} />
  </div>
)

/** Who else was sent the message, and who passed it on. */
const Readers = ({ row, said, store }: { readonly said: Said; readonly row: Row; readonly store: Store }) => {
  const others = (ids: ReadonlyArray<number>) =>
    [...new Set(ids)].flatMap((id) => (id === row.id || id === said.by ? [] : (store.model.rows.get(id) ?? [])))
  const [readers, relays] = [others(said.readBy), others(said.repliedBy)]
  if (readers.length + relays.length === 0) return null
  return (
    <footer>
      <Names rows={readers} word="read by" store={store} />
      <Names rows={relays} word="passed on by" store={store} />
    </footer>
  )
}

const most = 5

const Names = ({
  rows,
  store,
  word
}: {
  readonly rows: ReadonlyArray<Row>
  readonly word: string
  readonly store: Store
}) =>
  rows.length === 0 ? null : (
    <span>
      {word}{" "}
      {rows.slice(0, most).map(({ agent, id }) => (
        <button key={id} class="link" onClick={() => store.select(id)}>
          {agent}
        </button>
      ))}
      {rows.length > most ? ` and ${rows.length - most} more` : ""}
    </span>
  )
