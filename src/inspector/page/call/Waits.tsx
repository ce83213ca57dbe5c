/** What a run waits for from a person, and the answer to it. */
import { useState } from "preact/hooks"
import type { Json, Wait } from "../../wire.ts"
import type { Store } from "../state/store.ts"
import { JsonField, Value } from "./Values.tsx"

interface Props {
  readonly waits: ReadonlyArray<Wait>
  /** A call of the run. */
  readonly call: number
  readonly store: Store
}

export const Waits = ({ call, store, waits }: Props) => (
  <>
    {waits.map((wait, i) => (
      <WaitView key={`${wait.name} ${i}`} wait={wait} call={call} store={store} />
    ))}
  </>
)

/** A tool that is to be approved: what it is, and what it would be called with. */
const approvalOf = ({ asks, name }: Wait): { readonly tool: string; readonly parameters: Json } | undefined => {
  if (!name.startsWith("approval:") || typeof asks !== "object" || asks === null || Array.isArray(asks))
    return undefined
  const { parameters = null, tool } = asks as { readonly tool?: Json; readonly parameters?: Json }
  return typeof tool === "string" ? { tool, parameters } : undefined
}

const WaitView = ({ call, store, wait }: { readonly wait: Wait; readonly call: number; readonly store: Store }) => {
  const [problem, setProblem] = useState("")
  const approval = approvalOf(wait)
  const answer = async (value: () => Json): Promise<void> => {
    try {
      setProblem((await store.answer({ call, name: wait.name, value: value() })) ?? "")
    } catch {
      setProblem("That is no JSON")
    }
  }
  return (
    <section class="wait" aria-label={approval === undefined ? `Signal ${wait.name}` : `Approval of ${approval.tool}`}>
      {approval === undefined ? (
        <p>
          Waits for the signal <code>{wait.name}</code> <small>{wait.path}</small>
        </p>
      ) : (
        <p>
          May <code class="toolname">{approval.tool}</code> be called with this? <small>{wait.path}</small>
        </p>
      )}
      {approval === undefined && wait.asks !== undefined ? <Value value={wait.asks} /> : null}
      {!store.can("answer") ? null : approval === undefined ? (
        <Signal answer={answer} />
      ) : (
        <Approval parameters={approval.parameters} answer={answer} />
      )}
      {problem === "" ? null : (
        <p class="failed" role="alert">
          {problem}
        </p>
      )}
    </section>
  )
}

interface AnswerProps {
  /** Sends the value that a function gives, which may fail to make one. */
  readonly answer: (value: () => Json) => Promise<void>
}

const Signal = ({ answer }: AnswerProps) => {
  const [text, setText] = useState("null")
  return (
    <>
      <JsonField label="Value, as JSON" value={text} onInput={setText} />
      <div class="decide">
        <button class="main" onClick={() => void answer(() => JSON.parse(text) as Json)}>
          Send
        </button>
      </div>
    </>
  )
}

const Approval = ({ answer, parameters }: AnswerProps & { readonly parameters: Json }) => {
  const before = JSON.stringify(parameters, null, 2)
  const [text, setText] = useState(before)
  const [reason, setReason] = useState("")
  const approve = () =>
    answer(() => (text === before ? { approved: true } : { approved: true, parameters: JSON.parse(text) as Json }))
  const deny = () => answer(() => ({ approved: false, ...(reason === "" ? {} : { reason }) }))
  return (
    <>
      <JsonField label="Parameters, as JSON" value={text} onInput={setText} />
      <div class="decide">
        <button class="main" onClick={() => void approve()}>
          {text === before ? "Approve" : "Approve as edited"}
        </button>
        <button onClick={() => void deny()}>Deny</button>
        <input
          aria-label="Why not"
          placeholder="Why not, for the model"
          value={reason}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
      </div>
    </>
  )
}
