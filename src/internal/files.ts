/** What a file is made of: bytes, a data URL or an address, and of which type it is. */
import * as Base64 from "effect/encoding/Base64"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"

/** The content of a file, or where it is. */
export type Source = { readonly data: string } | { readonly url: string }

interface Found {
  readonly source: Source
  readonly mediaType: string | undefined
}

/** What is known of a file beside its content. */
interface Options<M, O> {
  readonly mediaType?: string
  readonly fileName?: string
  readonly metadata?: M
  readonly options?: O
}

/** The fields of a file, or why it is none. */
export const fieldsOf = <M, O>(given: string | URL | Uint8Array, options: Options<M, O>, otherwise: string) => {
  const found = sourceOf(given)
  if (typeof found === "string") return found
  const { fileName, mediaType, ...rest } = options
  const type = mediaType ?? found.mediaType ?? byName(fileName ?? "") ?? otherwise
  return { ...rest, ...(fileName === undefined ? {} : { fileName }), mediaType: type, source: found.source }
}

/** The source that a file is given by, or why it is none. */
const sourceOf = (given: string | URL | Uint8Array): Found | string => {
  if (given instanceof Uint8Array) return { source: { data: Base64.encode(given) }, mediaType: sniff(given) }
  const url = String(given)
  if (/^https?:\/\//i.test(url) && URL.canParse(url))
    return { source: { url }, mediaType: byName(new URL(url).pathname) }
  const [, type = "", base64, data = ""] = /^data:([^,;]*)(?:;[^,;=]+=[^,;]*)*(;base64)?,(.*)$/is.exec(url) ?? []
  if (!/^data:/i.test(url)) return "give its bytes, a data URL or an address that begins with `https://` or `http://`"
  const bytes =
    base64 === undefined
      ? Result.try(() => new TextEncoder().encode(decodeURIComponent(data)))
      : Base64.decode(data.replaceAll(/\s/g, ""))
  if (Result.isFailure(bytes)) return "the data URL is damaged: give the bytes"
  return {
    // equal bytes are one file, however they were spelled
    source: { data: Base64.encode(bytes.success) },
    mediaType: type === "" ? sniff(bytes.success) : type.toLowerCase()
  }
}

/** The bytes of base64. */
export const bytesOf = (data: string): Uint8Array => Result.getOrElse(Base64.decode(data), () => new Uint8Array())

/** A file as a link, or as an image, of Markdown. */
export const toMarkdown = (file: {
  readonly mediaType: string
  readonly source: Source
  readonly fileName?: string
  readonly hashKey: string
}): string => {
  const name = (file.fileName ?? file.mediaType).replaceAll(/[[\]\\\r\n]/g, "_")
  const target = "url" in file.source ? inMarkdown(file.source.url) : `sha256:${file.hashKey}`
  return `${file.mediaType.startsWith("image/") ? "!" : ""}[${name}](${target})`
}

const inMarkdown = (url: string): string =>
  url
    .replaceAll(/[\s<>]/g, encodeURIComponent)
    .replaceAll("(", "%28")
    .replaceAll(")", "%29")

/** JSON as a block of Markdown. */
export const jsonBlock = (json: unknown): string => `\`\`\`json\n${JSON.stringify(json, shown, 2)}\n\`\`\``

/** Nobody reads the bytes of a file. */
const shown = (_: string, value: unknown): unknown => {
  if (!Predicate.isObject(value) || !Predicate.hasProperty(value, "_tag") || value._tag !== "File") return value
  const { source } = value as { readonly source?: unknown }
  return Predicate.hasProperty(source, "data") ? { ...value, source: `(${sizeOf(String(source.data))})` } : value
}

/** How many bytes there are, for people. */
export const sizeOf = (data: string): string => {
  const bytes = Math.floor((data.replace(/=+$/, "").length * 3) / 4)
  if (bytes < 1000) return `${bytes} bytes`
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

const text = (bytes: Uint8Array, from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to))

/** The type that the first bytes tell, of those that models take. */
const sniff = (bytes: Uint8Array): string | undefined => {
  const start = text(bytes, 0, 8)
  if (start === "\x89PNG\r\n\x1A\n") return "image/png"
  if (start.startsWith("\xFF\xD8\xFF")) return "image/jpeg"
  if (/^GIF8[79]a/.test(start)) return "image/gif"
  if (start.startsWith("%PDF-")) return "application/pdf"
  if (start.startsWith("ID3") || /^\xFF[\xFB\xF3\xF2]/.test(start)) return "audio/mpeg"
  if (!start.startsWith("RIFF")) return undefined
  return { WEBP: "image/webp", WAVE: "audio/wav" }[text(bytes, 8, 12)]
}

/** The type that the end of a name tells. */
const byName = (name: string): string | undefined => {
  const [, ending] = /\.(\w+)$/.exec(name.toLowerCase()) ?? []
  return ending === undefined ? undefined : types.get(ending)
}

const types: ReadonlyMap<string, string> = new Map([
  ...["png", "gif", "webp", "jpeg"].map((ending) => [ending, `image/${ending}`] as const),
  ["jpg", "image/jpeg"],
  ["svg", "image/svg+xml"],
  ["pdf", "application/pdf"],
  ["mp3", "audio/mpeg"],
  ["wav", "audio/wav"],
  ["txt", "text/plain"],
  ["md", "text/markdown"],
  ["csv", "text/csv"],
  ["html", "text/html"],
  ["json", "application/json"]
])
