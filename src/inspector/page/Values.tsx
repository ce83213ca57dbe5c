/** Values and failures, wherever they are shown. */
import type { End, Fields, Json } from "../wire.ts"
import { count } from "./format.ts"

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

/** An image as a data URL, where a message has one; nothing is loaded from elsewhere. */
export const imageIn = (fields: Json): string | undefined => {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return undefined
  const { data, mediaType, part } = fields as Fields
  if (part !== undefined) return imageIn(part)
  if (typeof mediaType !== "string" || !/^image\/(png|jpeg|gif|webp)$/.test(mediaType) || typeof data !== "string")
    return undefined
  return data.startsWith("data:") ? data : `data:${mediaType};base64,${data}`
}

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
