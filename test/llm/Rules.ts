/** What the real APIs take of texts and files, and what they refuse, as servers that keep to it. */
import * as Predicate from "effect/Predicate"
import * as Loopback from "./Loopback.ts"

/** What is wrong with the body of a request, in the words of the API, if anything is. */
export type Rules = (body: unknown) => string | undefined

const list = (value: unknown): ReadonlyArray<Record<string, unknown>> => (Array.isArray(value) ? value : [])
const field = (value: unknown, key: string): unknown => (Predicate.hasProperty(value, key) ? value[key] : undefined)

const images = ["image/png", "image/jpeg", "image/gif", "image/webp"]
const base64 = /^[A-Za-z0-9+/]+={0,2}$/
const isDataUrl = (url: unknown, types: ReadonlyArray<string>) => {
  const [, type = "", data = ""] = /^data:([^;]+);base64,(.*)$/s.exec(String(url)) ?? []
  return types.includes(type) && base64.test(data)
}
const isImageUrl = (url: unknown) => String(url).startsWith("https://") || isDataUrl(url, images)

const first = <A>(items: ReadonlyArray<A>, wrong: (item: A, i: number) => string | undefined): string | undefined => {
  for (const [i, item] of items.entries()) {
    const found = wrong(item, i)
    if (found !== undefined) return found
  }
  return undefined
}

export const chat: Rules = (body) =>
  first(list(field(body, "messages")), ({ content, role }, i) => {
    if (typeof content === "string" || (content === null && role === "assistant")) return undefined
    return first(list(content), (part, j) => {
      const at = `messages.[${i}].content.[${j}]`
      if (part["type"] === "text") return typeof part["text"] === "string" ? undefined : `Invalid type for '${at}.text'`
      if (role === "tool") return `Invalid value: '${part["type"]}' at ${at}. Supported values are: 'text'.`
      if (role !== "user") {
        return `Invalid '${at}': ${part["type"]} content is only allowed for messages with role 'user', but this message with role '${role}' contains it.`
      }
      if (part["type"] === "image_url") {
        return isImageUrl(field(part["image_url"], "url"))
          ? undefined
          : `Invalid MIME type at ${at}. Only image types are supported.`
      }
      if (part["type"] === "file") {
        const { file_data, filename } = part["file"] as Record<string, unknown>
        return isDataUrl(file_data, ["application/pdf"]) && filename ? undefined : `Invalid file data at ${at}`
      }
      return part["type"] === "input_audio" ? undefined : `Invalid value: '${part["type"]}' at ${at}`
    })
  })

export const responses: Rules = (body) =>
  first(list(field(body, "input")), (item, i) => {
    if (item["type"] === "image_generation_call") {
      return typeof item["id"] === "string" && base64.test(String(item["result"]))
        ? undefined
        : `Missing 'input[${i}].result'`
    }
    const content = item["type"] === "function_call_output" ? item["output"] : item["content"]
    if (typeof content === "string" || content === undefined) return undefined
    return first(list(content), (part, j) => {
      const at = `input[${i}].content[${j}]`
      if (item["role"] === "assistant") {
        return part["type"] === "output_text"
          ? undefined
          : `Invalid value: '${part["type"]}'. Supported values are: 'output_text' and 'refusal'. ${at}`
      }
      if (part["type"] === "input_text") return undefined
      if (part["type"] === "input_image") return isImageUrl(part["image_url"]) ? undefined : `Invalid '${at}.image_url'`
      if (part["type"] !== "input_file") return `Invalid value: '${part["type"]}' at ${at}`
      const isThere =
        part["file_url"] !== undefined || (isDataUrl(part["file_data"], ["application/pdf"]) && part["filename"])
      return isThere ? undefined : `Invalid '${at}'`
    })
  })

export const messages: Rules = (body) => {
  const turns = list(field(body, "messages"))
  if (turns[0]?.["role"] !== "user") return 'messages: first message must use the "user" role'
  return first(turns, ({ content, role }, i) => {
    if (i > 0 && turns[i - 1]?.["role"] === role) return "messages: roles must alternate"
    if (list(content).length === 0) return `messages.${i}: all messages must have non-empty content`
    return first(list(content), (block, j) => blockOf(block, String(role), `messages.${i}.content.${j}`))
  })
}

const blockOf = (block: Record<string, unknown>, role: string, at: string): string | undefined => {
  const { source, type } = block
  if (type === "text") return block["text"] === "" ? `${at}: text content blocks must be non-empty` : undefined
  if (role === "assistant")
    return type === "tool_use" || type === "thinking" ? undefined : `${at}: Input tag '${type}' found`
  if (type === "tool_result") {
    if (typeof block["content"] === "string") return undefined
    return first(list(block["content"]), (inside, k) =>
      inside["type"] === "tool_result" ? `${at}: nested` : blockOf(inside, role, `${at}.content.${k}`)
    )
  }
  if (field(source, "type") === "url") {
    const isWhole = type === "image" || type === "document"
    return isWhole && Object.keys(source as object).length === 2
      ? undefined
      : `${at}.source: Extra inputs are not permitted`
  }
  const mediaType = String(field(source, "media_type"))
  const data = String(field(source, "data"))
  if (type === "image")
    return images.includes(mediaType) && base64.test(data) ? undefined : `${at}.source.base64.media_type: ${mediaType}`
  if (type !== "document") return `${at}: Input tag '${type}' found`
  if (field(source, "type") === "text") return mediaType === "text/plain" ? undefined : `${at}.source`
  return mediaType === "application/pdf" && base64.test(data)
    ? undefined
    : `${at}.source.base64.media_type: ${mediaType}`
}

/** A server that answers what keeps to the rules, and refuses the rest. */
export const answering =
  (rules: Rules, events: ReadonlyArray<string>): Loopback.Handler =>
  (response, request, count) => {
    const wrong = rules(request.body)
    const error = { type: "invalid_request_error", message: wrong }
    const handler = wrong === undefined ? Loopback.stream(events) : Loopback.answer(400, { type: "error", error })
    handler(response, request, count)
  }
