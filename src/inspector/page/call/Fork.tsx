/** Begins another conversation with what this one has up to a message. */
import { useState } from "preact/hooks"
import type { Said } from "../../wire.ts"
import type { Store } from "../state/store.ts"

export const Fork = ({ said, store }: { readonly said: Said; readonly store: Store }) => {
  const [name, setName] = useState<string | undefined>(undefined)
  const [problem, setProblem] = useState("")
  if (!store.can("fork")) return null
  if (name === undefined) {
    return (
      <button
        class="link"
        title="Begin another conversation with all up to here"
        onClick={() => setName(`${store.live.about?.title ?? ""}-fork`)}
      >
        Fork here
      </button>
    )
  }
  const onSubmit = async (event: Event): Promise<void> => {
    event.preventDefault()
    setProblem((await store.begin("/api/fork", { at: said.at, as: name })) ?? "")
  }
  return (
    <form class="fork" onSubmit={(event) => void onSubmit(event)}>
      <input
        aria-label="Name of the new conversation"
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <button class="main">Fork</button>
      {problem === "" ? null : (
        <span class="failed" role="alert">
          {problem}
        </span>
      )}
    </form>
  )
}
