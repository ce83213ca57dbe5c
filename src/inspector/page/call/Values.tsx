/** Values and failures, wherever they are shown. */
import type { End, Fields, Json } from "../../wire.ts"
import { count } from "../state/format.ts"

export const Failed = ({ end }: { readonly end: End | undefined }) => {
  if (end?.is !== "failed") return null
  const { error, reason, stack, trace } = end.failure
  return (
    <div class="trouble" role="alert">
      <strong>{error}</strong> {reason}
      {trace.length > 0 ? <p class="hint">through {trace.join(" ← ")}</p> : null}
      {stack === undefined ? null : (
        <details>
          <summary>Stack</summary>
          <pre>{stack}</pre>
        </details>
      )}
    </div>
  )
}

/** A name, and what is known under it. */
export const Fact = ({ name, value }: { readonly name: string; readonly value: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
)

/** The images that a message or a part of a prompt has, as data URLs: nothing is loaded from elsewhere. */
export const imagesIn = (value: Json): ReadonlyArray<string> => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return []
  const { data, mediaType, part, parts, source } = value as Fields
  if (Array.isArray(parts)) return (parts as ReadonlyArray<Json>).flatMap(imagesIn)
  if (part !== undefined) return imagesIn(part)
  const bytes = typeof source === "object" && source !== null ? (source as Fields).data : data
  if (typeof mediaType !== "string" || !/^image\/(png|jpeg|gif|webp)$/.test(mediaType)) return []
  if (typeof bytes !== "string") return []
  return [bytes.startsWith("data:") ? bytes : `data:${mediaType};base64,${bytes}`]
}

export const Images = ({ of }: { readonly of: Json }) => (
  <>
    {imagesIn(of).map((image, i) => (
      <img key={i} src={image} alt="An image that was said" />
    ))}
  </>
)

/** A value of JSON: a text as it is, anything else spelled out, folded where it is long. */
export const Value = ({ value }: { readonly value: Json }) => {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2)
  const block = <pre class="value">{text}</pre>
  if (text.length < 600) return block
  return (
    <details>
      <summary>
        {text.slice(0, 80)}… <small>{count(text.length)} characters</small>
      </summary>
      {block}
    </details>
  )
}

interface FieldProps {
  readonly label: string
  readonly value: string
  readonly onInput: (text: string) => void
}

/** Where JSON is written. */
export const JsonField = ({ label, onInput, value }: FieldProps) => (
  <textarea
    class="json"
    aria-label={label}
    rows={Math.min(10, Math.max(1, value.split("\n").length))}
    value={value}
    spellcheck={false}
    onInput={(event) => onInput(event.currentTarget.value)}
  />
)
