/** The requests of a recording as the recordings of a cassette, so that a test can play them again: a folder in a tar file. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as AiError from "effect/ai/AiError"
import * as Files from "../../testing/recording.ts"
import type * as Recording from "./recording.ts"

interface File {
  readonly name: string
  readonly text: string
}

/** Those that came to an end, well or with an error; the same request again is the next recording of it. */
export const files = ({ requests }: Recording.Recording): ReadonlyArray<File> => {
  const counts = new Map<string, number>()
  return requests.flatMap(({ answered, error, prompt, response, rest, tools }) => {
    if (rest === undefined || answered === undefined || answered.end.is === "interrupted") return []
    const failure = error === undefined ? undefined : decodeError(error)
    if (answered.end.is === "failed" && failure === undefined) return []
    const { toolChoice, ...others } = rest
    const offered =
      tools.length === 0 ? {} : { tools: tools as unknown as Schema.Json, toolChoice: toolChoice ?? "auto" }
    const request = { ...others, prompt, ...offered } as Schema.JsonObject
    const name = Files.nameOf(request)
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    const moments = response as Files.Recording["response"] // none is empty
    const ended = failure === undefined ? {} : { error: { at: moments.at(-1)?.at ?? 0, error: failure } }
    return [{ name: `cassette/${name}-${count}.json`, text: Files.print({ request, response: moments, ...ended }) }]
  })
}

const decode = Schema.decodeUnknownResult(Schema.toCodecJson(AiError.AiError))

const decodeError = (error: unknown): AiError.AiError | undefined => Result.getOrElse(decode(error), () => undefined)

const block = 512

/** A tar file of these files. */
export const tar = (all: ReadonlyArray<File>): Uint8Array => {
  const parts = all.flatMap(({ name, text }) => {
    const body = new TextEncoder().encode(text)
    const padded = new Uint8Array(Math.ceil(body.length / block) * block)
    padded.set(body)
    return [headOf(name, body.length), padded]
  })
  const end = new Uint8Array(2 * block)
  const bytes = new Uint8Array([...parts, end].reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

const headOf = (name: string, size: number): Uint8Array => {
  const head = new Uint8Array(block)
  const put = (text: string, at: number) => head.set(new TextEncoder().encode(text), at)
  const octal = (n: number, length: number) => n.toString(8).padStart(length, "0")
  put(name.slice(0, 100), 0)
  put(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100)
  put(`${octal(size, 11)}\0${octal(0, 11)}\0`, 124)
  put(" ".repeat(8), 148) // the sum is that of the head with blanks in its place
  put("0", 156)
  put("ustar\u000000", 257)
  const sum = head.reduce((sum, byte) => sum + byte, 0)
  put(`${octal(sum, 6)}\0 `, 148)
  return head
}
