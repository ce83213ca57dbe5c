/** Where a person says something to an agent, with its parameters. */
import { useState } from "preact/hooks"
import type { Json } from "../../wire.ts"
import { JsonField } from "../call/Values.tsx"
import { type Chat, template } from "../state/chat.ts"
import { isOpen } from "../state/model.ts"
import type { Store } from "../state/store.ts"

interface Props {
  readonly chat: Chat
  readonly store: Store
  readonly text: string
  readonly setText: (text: string) => void
}

export const Composer = ({ chat, setText, store, text }: Props) => {
  const agent = chat.agents.find(({ name }) => name === chat.agent)
  const schema = agent?.parameters ?? {}
  const [parameters, setParameters] = useState(() => template(schema))
  const takes = Object.keys((schema as { readonly properties?: object }).properties ?? {}).length > 0
  const say = async (): Promise<void> => {
    const json = parse(parameters)
    if (json === undefined) {
      chat.problem = "The parameters are no JSON"
      return store.draw()
    }
    if (await store.say(chat, text, json)) setText("")
  }
  const onSubmit = (event: Event) => {
    event.preventDefault()
    void say()
  }
  return (
    <form class="composer" onSubmit={onSubmit}>
      {chat.problem === "" ? null : (
        <p class="trouble" role="alert">
          {chat.problem}
        </p>
      )}
      {chat.keep === undefined ? null : <Instead chat={chat} store={store} onLeave={() => setText("")} />}
      {takes ? (
        <details open={parameters !== "{}"}>
          <summary>Parameters</summary>
          <JsonField label="Parameters, as JSON" value={parameters} onInput={setParameters} />
        </details>
      ) : null}
      {agent === undefined ? null : <Say chat={chat} store={store} text={text} setText={setText} onEnter={onSubmit} />}
    </form>
  )
}

const Instead = ({ chat, onLeave, store }: Pick<Props, "chat" | "store"> & { readonly onLeave: () => void }) => {
  const leave = () => {
    chat.keep = undefined
    onLeave()
    store.draw()
  }
  return (
    <p class="hint">
      Instead of what was said there; what came after it is left out.{" "}
      <button type="button" class="link" onClick={leave}>
        Rather not
      </button>
    </p>
  )
}

const Say = ({ chat, onEnter, setText, store, text }: Props & { readonly onEnter: (event: Event) => void }) => {
  const last = store.live.rows.get(chat.last?.call ?? -1)
  const speaks = last !== undefined && isOpen(last)
  return (
    <div class="say">
      <textarea
        id="say"
        aria-label={`Say to ${chat.agent}`}
        placeholder={`Say to ${chat.agent}`}
        rows={Math.min(6, Math.max(2, text.split("\n").length))}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !speaks) onEnter(event)
        }}
      />
      {speaks ? (
        <button type="button" onClick={() => void store.stop(last.id)}>
          Stop
        </button>
      ) : (
        <button type="submit" class="main" title="Enter; Shift and Enter begin a new line">
          Send
        </button>
      )}
    </div>
  )
}

const parse = (text: string): Json | undefined => {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}
