/** Runs a run again, with other words or parameters. */
import { useState } from "preact/hooks"
import type { Detail, Json, Said, ToRerun } from "../../wire.ts"
import { messageOf } from "../state/chat.ts"
import type { Store } from "../state/store.ts"
import { JsonField } from "./Values.tsx"

interface Props {
  readonly detail: Detail
  readonly messages: ReadonlyMap<number, Said>
  readonly store: Store
  readonly onClose: () => void
}

export const Again = ({ detail, messages, onClose, store }: Props) => {
  const before = JSON.stringify(detail.parameters, null, 2)
  const [parameters, setParameters] = useState(before)
  const [texts, setTexts] = useState<ReadonlyMap<number, string>>(new Map())
  const [problem, setProblem] = useState("")
  const sent = detail.sent.flatMap((at) => messages.get(at) ?? [])
  const begin = async (): Promise<void> => {
    try {
      const again: ToRerun = {
        call: detail.id,
        texts: [...texts].map(([at, text]) => ({ at, text })),
        ...(parameters === before ? {} : { parameters: JSON.parse(parameters) as Json })
      }
      setProblem((await store.begin("/api/rerun", again)) ?? "")
    } catch (error) {
      setProblem(messageOf(error))
    }
  }
  return (
    <section class="wait again" aria-label="Run again">
      <p>
        Runs it again. What it asks as it did before is answered as it was, and costs nothing; what follows from a
        change is asked anew.
      </p>
      {sent.map(({ at, fields, text }) => (
        <label key={at}>
          <small>{String(fields._tag ?? "Text")}</small>
          <textarea
            aria-label={`Message ${at + 1}`}
            rows={Math.min(8, Math.max(2, text.split("\n").length))}
            value={texts.get(at) ?? text}
            onInput={(event) => setTexts(new Map(texts).set(at, event.currentTarget.value))}
          />
        </label>
      ))}
      <label>
        <small>Parameters, the prompt (`system`) among them</small>
        <JsonField label="Parameters, as JSON" value={parameters} onInput={setParameters} />
      </label>
      <div class="decide">
        <button class="main" onClick={() => void begin()}>
          Run again
        </button>
        <button onClick={onClose}>Rather not</button>
      </div>
      {problem === "" ? null : (
        <p class="failed" role="alert">
          {problem}
        </p>
      )}
    </section>
  )
}
