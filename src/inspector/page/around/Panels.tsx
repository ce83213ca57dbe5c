/** What opens above the page: what a search has found, and the help. */
import { keys } from "./keyboard.ts"
import type { Store } from "../state/store.ts"

export const SearchResults = ({ store }: { readonly store: Store }) => {
  const { found, model, query } = store
  return (
    <section class="results" aria-label="Found">
      <p class="hint" role="status">
        {found.length === 0
          ? `Nothing was said with “${query}”.`
          : `${found.length}${found.length === 200 ? " or more" : ""} found`}
      </p>
      <ol>
        {found.map(({ after, before, call, match, message, where }) => (
          <li key={`${call} ${message} ${where}`}>
            <button
              onClick={() => {
                store.open("")
                store.select(call, message)
              }}
            >
              <strong>{model.rows.get(call)?.agent ?? "?"}</strong> {where === "said" ? "" : <small>{where}</small>}
              <span>
                {before}
                <mark>{match}</mark>
                {after}
              </span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  )
}

export const Help = ({ store }: { readonly store: Store }) => (
  <div class="veil" onClick={() => store.open("")}>
    <section
      class="dialog"
      role="dialog"
      aria-modal="true"
      aria-label="Keyboard"
      onClick={(event) => event.stopPropagation()}
    >
      <h2>Keyboard</h2>
      <dl>
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>{key.split(" ").map((each) => (each === "or" ? " or " : <kbd key={each}>{each}</kbd>))}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <button onClick={() => store.open("")} autofocus>
        Close
      </button>
    </section>
  </div>
)
