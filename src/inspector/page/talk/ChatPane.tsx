/** Talks with an agent of the program: what is said to it, and what it answers while it does. */
import { useEffect, useRef, useState } from "preact/hooks"
import { Messages } from "../call/Conversation.tsx"
import { Failed } from "../call/Values.tsx"
import { Waits } from "../call/Waits.tsx"
import type { Chat, Turn } from "../state/chat.ts"
import { money, time } from "../state/format.ts"
import { endOf, isOpen, totals } from "../state/model.ts"
import type { Store } from "../state/store.ts"
import { Composer } from "./Composer.tsx"

interface Props {
  readonly chat: Chat
  readonly store: Store
}

export const ChatPane = ({ chat, store }: Props) => {
  const bottom = useRef<HTMLDivElement>(null)
  const [text, setText] = useState("")
  const { agents, keep, turns } = chat
  const { version } = store.model
  useEffect(() => {
    const content = bottom.current?.parentElement
    if (content && keep === undefined) content.scrollTop = content.scrollHeight
  }, [version, turns, keep])
  const edit = (turn: Turn, at: number) => {
    chat.keep = at
    setText(turn.text)
    document.getElementById("say")?.focus()
  }
  return (
    <div class="pane call">
      <div class="title">
        <h2>Chat</h2>
        <select
          aria-label="Agent to talk with"
          value={chat.agent}
          disabled={turns.length > 0}
          onChange={(event) => {
            chat.agent = event.currentTarget.value
            store.draw()
          }}
        >
          {agents.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <span class="grow" />
        {turns.length > 0 ? <button onClick={() => store.chatWith(undefined)}>New</button> : null}
        <button
          class="icon"
          aria-label="Close the chat"
          title="Show the totals (Esc)"
          onClick={() => store.leaveChat()}
        >
          ×
        </button>
      </div>
      <div class="content" role="log" aria-label="Conversation">
        {turns.length === 0 ? <Beginning chat={chat} /> : null}
        {turns.map((turn, at) => (
          <TurnView key={turn.call} turn={turn} chat={chat} store={store} onEdit={() => edit(turn, at)} />
        ))}
        <div ref={bottom} />
      </div>
      <Composer key={chat.agent} chat={chat} store={store} text={text} setText={setText} />
    </div>
  )
}

const Beginning = ({ chat: { agent, agents } }: { readonly chat: Chat }) => {
  const chosen = agents.find(({ name }) => name === agent)
  if (chosen === undefined) {
    return <p class="empty">No agent was called yet, and the program exports none: there is nobody to talk with.</p>
  }
  return (
    <div class="empty">
      <p>{chosen.description ?? `Say something to ${agent}.`}</p>
      <p>Each answer is a call, in the table like all others.</p>
    </div>
  )
}

interface TurnProps extends Props {
  readonly turn: Turn
  readonly onEdit: () => void
}

const TurnView = ({ chat, onEdit, store, turn }: TurnProps) => {
  const row = store.live.rows.get(turn.call)
  const focus = chat.focusOf(turn, store.live)
  const detail = focus?.detail
  const end = detail?.returned?.is === "failed" ? detail.returned : detail?.spoken
  return (
    <section class="turn" aria-label={turn.text}>
      <article class="message user">
        <header>
          <strong>You</strong>
          <span class="grow" />
          <button class="link" onClick={onEdit} title="Say something else here; what came after it is left out">
            Edit
          </button>
        </header>
        <pre class="text">{turn.text}</pre>
      </article>
      {detail === undefined || focus === undefined || row === undefined ? null : (
        <>
          <Messages numbers={detail.replied} messages={focus.messages} row={row} store={store} />
          <Waits waits={detail.waits} call={turn.call} store={store} />
          <Failed end={end} />
          <p class="hint made">
            <button class="link" onClick={() => store.select(turn.call)}>
              {row.agent}
            </button>{" "}
            {isOpen(row) ? "speaks" : end?.is === "interrupted" ? "was stopped" : "spoke"} for{" "}
            {time((endOf(row) ?? store.now) - row.at)}
            {cost(store, turn.call)}
          </p>
        </>
      )}
    </section>
  )
}

const cost = (store: Store, call: number): string => {
  const { cost, input, output } = totals(store.live.subtree(call), store.now)
  return input + output === 0 ? "" : ` · ${input} + ${output} tokens${cost > 0 ? ` · ${money(cost)}` : ""}`
}
