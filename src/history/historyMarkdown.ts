/**
 * The Markdown of histories.
 *
 * A message is a heading with its role and model, as the Python original writes it, and its text as it is. Two comments
 * (nothing, when the Markdown is rendered) say where it begins and that it came to its end:
 *
 *     <!-- miniagents message -->
 *     assistant / some-model
 *     ========================================
 *     Hello
 *     <!-- miniagents end -->
 *
 * Invariants:
 * 1. A line of a text that would read as such a comment has a backslash more: comments are the file's own.
 * 2. The last comment has, as JSON, what role, model and text do not say. With it the message comes back equal. The first
 *    one has the call that made the message, if one did.
 * 3. Whatever stands between `message` and the next `message` without an `end` is unfinished and left out.
 * 4. What stands outside of such pairs is read as the original does, so that its files, and sections written by hand,
 *    can be read: top-level headings are roles, and the text between two, without blank lines around it, is a message.
 */
import * as Cause from "effect/Cause"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { fromMarkdown } from "mdast-util-from-markdown"
import * as Message from "../Message.ts"
import type { Origin, Said } from "./origins.ts"

/** The parser; loaded when the first history is read. */
export type Parse = typeof fromMarkdown

/** What a heading says. */
export interface Heading {
  readonly role: string
  readonly model: string | undefined
}

/** The classes that are known. */
export interface Codec {
  /** It gives back messages of other classes, too, as what they are. */
  readonly keeping: Schema.Codec<Message.Message, Schema.Json>
  readonly decode: Decode
  /** It says what is wrong with a message of a class that is known. */
  readonly strict: Decode
  readonly tags: ReadonlySet<string>
  /** Those of nearly all messages, which hold no others: the codec of all classes takes three times as long. */
  readonly plain: ReadonlyMap<string, Decode>
}
type Decode = (json: unknown) => Exit.Exit<Message.Message, unknown>

export const codecOf = (classes: ReadonlyArray<Message.AnyClass>): Codec => {
  const keeping = Message.keepingCodec(classes)
  const { Assistant, Data, Embedding, Failure, File, Joined, System, Text, User } = Message
  const plain: ReadonlyArray<Message.AnyClass> = [Text, User, System, Assistant]
  const tags = [...plain, Data, Embedding, Failure, File, Joined, ...classes].map((each) => each.identifier)
  return {
    keeping,
    decode: Schema.decodeUnknownExit(keeping),
    strict: Schema.decodeUnknownExit(Message.codec(classes)),
    tags: new Set(tags),
    plain: new Map(plain.map((each) => [each.identifier, Schema.decodeUnknownExit(each)]))
  }
}

const PREFIX = "<!-- miniagents"
const BEGIN = `${PREFIX} message -->`
/** How the comment begins that has the call that made the message. */
const BEGIN_OF = `${PREFIX} message`
const UNDERLINE = "=".repeat(40)

/** What is written before the text of a message: at any place, even in the middle of an unfinished line. */
export const opening = ({ model, role }: Heading, origin: Origin | undefined): string =>
  `\n${origin === undefined ? BEGIN : `${BEGIN_OF} ${inComment(origin)} -->`}\n${role}${model === undefined ? "" : ` / ${model}`}\n${UNDERLINE}\n`

/** What is written after the text, with the fields of the message that `restOf` found. */
export const closing = (rest: string | undefined): string =>
  `\n${PREFIX} end${rest === undefined ? "" : ` ${rest}`} -->\n`

export const headingOf = (known: Message.KnownFields): Heading => ({
  role: known._tag === "User" || known._tag === "System" ? known._tag.toLowerCase() : "assistant",
  model:
    known.model !== undefined && /^[^\s<>]+$/.test(known.model) && known.model.isWellFormed() ? known.model : undefined
})

/** Escapes a text as it comes: what may still become a comment at the start of a line is held back. */
export class Escaper {
  private held = ""
  private undecided = true

  push(text: string): string {
    let rest = this.held + text
    let out = ""
    this.held = ""
    while (true) {
      if (this.undecided) {
        const bare = rest.replace(/^\\+/, "")
        if (bare.startsWith(PREFIX)) out += "\\"
        else if (PREFIX.startsWith(bare)) {
          this.held = rest
          return out
        }
      }
      const end = rest.indexOf("\n") + 1
      this.undecided = end > 0
      if (end === 0) return out + rest
      out += rest.slice(0, end)
      rest = rest.slice(end)
    }
  }

  end(): string {
    return this.held
  }
}

const unescape = (text: string): string => (text.includes(PREFIX) ? text.replaceAll(escaped, "$1$2") : text)
const escaped = new RegExp(`(^|\\n)(\\\\*)\\\\(?=${PREFIX})`, "g")

/** A message that cannot be read: the line that its part of the file begins in, and why. */
export interface Damage {
  readonly line: number
  readonly reason: string
}

/**
 * Reads a file that comes in pieces, so that it neither blocks nor stands in memory twice. What the library wrote is
 * found by its comments and headings alone; the parser is for what another hand wrote.
 */
export class Reader {
  readonly messages: Array<Said> = []
  /** The first one; nothing is read after it. */
  damage: Damage | undefined = undefined
  private readonly fromMarkdown: Parse
  private readonly codec: Codec
  /** What came since the last comment, without the line that is not at its end. */
  private body: Array<Uint8Array> = []
  private lastLine: Uint8Array = new Uint8Array()
  private inside = false
  private origin: Origin | undefined = undefined
  private converted = false
  /** The line that the body begins in. */
  private line = 1

  constructor(fromMarkdown: Parse, codec: Codec) {
    this.fromMarkdown = fromMarkdown
    this.codec = codec
  }

  push(piece: Uint8Array): void {
    const bytes = join([this.lastLine, piece])
    const end = bytes.lastIndexOf(LF) + 1
    this.lastLine = bytes.slice(end)
    this.scan(bytes.subarray(0, end))
  }

  end(): void {
    this.scan(this.lastLine)
    if (!this.inside) this.addForeign(join(this.body))
  }

  /** Takes whole lines. */
  private scan(bytes: Uint8Array): void {
    let from = 0
    for (let at = bytes.indexOf(LT); at >= 0 && this.damage === undefined; at = bytes.indexOf(LT, at + 1)) {
      if ((at > 0 && bytes[at - 1] !== LF) || !beginsComment(bytes, at)) continue
      const found = bytes.indexOf(LF, at)
      const end = found < 0 ? bytes.length : found
      const mark = comment.exec(decode(bytes.subarray(at, end)))
      if (mark === null) continue
      this.body.push(bytes.subarray(from, at))
      const body = join(this.body)
      this.take(body, mark)
      this.body = []
      this.line += breaksIn(body) + 1
      from = end + 1
      at = end
    }
    this.body.push(bytes.subarray(from))
  }

  private take(bytes: Uint8Array, [, kind, rest, end]: RegExpExecArray): void {
    if (kind === "message") {
      if (!this.inside) this.addForeign(bytes)
      this.inside = true
      this.origin = rest === undefined ? undefined : Exit.getSuccess(decodeOrigin(rest)).pipe(Option.getOrUndefined)
      this.converted = end === "\r" // it was not written so: all the line ends were made CRLF since
    } else if (this.inside) {
      const found = this.own(bytes, rest)
      if (typeof found === "string") this.damage = { line: this.line, reason: found }
      else this.messages.push({ message: found, origin: this.origin })
      this.inside = false
    }
  }

  /** A message between its two comments, or why it is none. */
  private own(bytes: Uint8Array, rest: string | undefined): Message.Message | string {
    const body = Result.try(() => strict.decode(bytes))
    if (Result.isFailure(body)) return "a message that is not UTF-8"
    const text = this.converted ? body.success.replaceAll("\r\n", "\n") : body.success
    return own(text, rest, this.fromMarkdown, this.codec)
  }

  private addForeign(bytes: Uint8Array): void {
    for (const message of foreign(decode(bytes), this.fromMarkdown)) this.messages.push({ message, origin: undefined })
  }
}
/** One that a hand has spoiled is none. */
const decodeOrigin = Schema.decodeUnknownExit(
  Schema.fromJsonString(Schema.Struct({ path: Schema.String, agent: Schema.String, run: Schema.String }))
)
const comment = new RegExp(`^${PREFIX} (message|end)(?: ([^]*?))? -->(\\r?)$`)

const [LF, LT] = [10, 60]
const prefix = new TextEncoder().encode(PREFIX)
const beginsComment = (bytes: Uint8Array, at: number): boolean => prefix.every((byte, i) => bytes[at + i] === byte)

// a byte order mark inside of the file is a part of its text
const lenient = new TextDecoder("utf-8", { ignoreBOM: true })
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true })
const decode = (bytes: Uint8Array): string => lenient.decode(bytes)

const join = (all: ReadonlyArray<Uint8Array>): Uint8Array => {
  const some = all.filter((bytes) => bytes.length > 0)
  if (some.length === 1) return some[0]!
  const joined = new Uint8Array(some.reduce((length, bytes) => length + bytes.length, 0))
  let at = 0
  for (const bytes of some) {
    joined.set(bytes, at)
    at += bytes.length
  }
  return joined
}

const breaksIn = (bytes: Uint8Array): number => {
  let count = 0
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) count++
  return count
}

/** A message between its two comments; its text ends where the line before the last one does. Or why it is none. */
const own = (body: string, rest: string | undefined, fromMarkdown: Parse, codec: Codec): Message.Message | string => {
  const written = asWritten.exec(body)
  const section = written === null ? byHand(body, fromMarkdown) : undefined
  if (written === null && section === undefined) return "a message without a heading that names a role"
  const [whole = "", role = "", model] = written ?? []
  const heading = section?.heading ?? { role, model }
  const text = written === null ? body.slice(section?.start).replace(/^(\r?\n|$)/, "") : body.slice(whole.length)
  return restore(heading, unescape(text.replace(/\n$/, "")), rest, codec)
}
const asWritten = new RegExp(`^(user|system|assistant)(?: / ([^\\s<>]+))?\\n${UNDERLINE}\\n`)

/** A heading takes two lines, and nobody means more than two blank ones before it; a text can be of any length. */
const byHand = (body: string, fromMarkdown: Parse): Section | undefined => {
  const lines = body.split("\n", 4)
  return [2, 3, 4].map((count) => sections(lines.slice(0, count).join("\n"), fromMarkdown)[0]).find(Boolean)
}

/** What the original, or a hand, wrote. */
const foreign = (text: string, fromMarkdown: Parse): ReadonlyArray<Message.Message> => {
  if (text.trim() === "") return []
  const lines = text.replace(/^\ufeff/, "").split("\n")
  // a process that was killed can have left the beginning of a comment
  while (lines.length > 0 && (BEGIN.startsWith(lines.at(-1)!) || lines.at(-1)!.startsWith(`${BEGIN_OF} {`))) lines.pop()
  const whole = lines.join("\n").replaceAll(/\r\n?/g, "\n")
  const found = sections(whole, fromMarkdown)
  return found.flatMap(({ heading, start }, i) => {
    const content = withoutBlankLines(whole.slice(start, found[i + 1]?.begin))
    return content.trim() === "" ? [] : [fromHeading(heading, content)]
  })
}

const withoutBlankLines = (text: string): string => {
  const lines = text.split("\n")
  const isText = (line: string) => line.trim() !== ""
  return lines.slice(Math.max(0, lines.findIndex(isText)), lines.findLastIndex(isText) + 1).join("\n")
}

interface Section {
  readonly heading: Heading
  readonly begin: number
  readonly start: number
}

/** The headings of the first level that name a role and, maybe, a model. */
const sections = (text: string, fromMarkdown: Parse): ReadonlyArray<Section> =>
  fromMarkdown(text, blocksOnly).children.flatMap((node) => {
    if (node.type !== "heading" || node.depth !== 1 || node.position === undefined) return []
    const begin = node.position.start.offset ?? 0
    const start = node.position.end.offset ?? 0
    const first = node.children[0]?.position?.start.offset ?? begin
    const last = node.children.at(-1)?.position?.end.offset ?? start
    const heading = headingFrom(text.slice(first, last))
    return heading === undefined ? [] : [{ heading, begin, start }]
  })

/** What is inside of a paragraph does not matter here, and can take the parser the square of its length. */
const blocksOnly = {
  extensions: [
    {
      disable: {
        null: [
          ...["attention", "autolink", "characterEscape", "characterReference", "codeText", "hardBreakEscape"],
          ...["htmlText", "labelEnd", "labelStartImage", "labelStartLink"]
        ]
      }
    }
  ]
}

const headingFrom = (text: string): Heading | undefined => {
  const [name = "", ...rest] = text.split("/")
  const role = name.trim().toLowerCase()
  const model = rest.join("/").trim()
  if (!["user", "system", "assistant"].includes(role) || /\s/.test(model)) return undefined
  return { role, model: model === "" ? undefined : model }
}

const fromHeading = ({ model, role }: Heading, content: string): Message.Message =>
  role === "user"
    ? Message.user(content)
    : role === "system"
      ? Message.system(content)
      : new Message.Assistant(model === undefined ? { content } : { content, model })

/**
 * The fields of a message that its heading and text do not say: nothing, when they say it all, and a sentence, when they
 * could not be read again.
 */
export const restOf = (
  heading: Heading,
  text: string,
  message: Message.Message,
  codec: Codec
): Result.Result<string | undefined, string> => {
  if (text.isWellFormed() && Equal.equals(fromHeading(heading, text), message)) return Result.succeed(undefined)
  const encoded = Schema.encodeExit(codec.keeping)(message)
  if (Exit.isFailure(encoded)) return Result.fail(unknown(message._tag))
  const { _tag, content, metadata, ...fields } = encoded.value as Schema.JsonObject
  const rest = inComment({
    ...(_tag === fromHeading(heading, "")._tag ? {} : { _tag }),
    ...fields,
    ...(Equal.equals(metadata, {}) ? {} : { metadata }),
    ...(content === text && text.isWellFormed() ? {} : { content: content ?? null })
  })
  return Equal.equals(restore(heading, text, rest, codec), message)
    ? Result.succeed(rest)
    : Result.fail(unknown(message._tag))
}

/** JSON without an end of the comment inside of it. */
const inComment = (json: object): string => JSON.stringify(json).replaceAll(">", "\\u003e")

/** A message of what was written, or why it is none. */
export const restore = (
  heading: Heading,
  text: string,
  rest: string | undefined,
  codec: Codec
): Message.Message | string => {
  if (rest === undefined) return fromHeading(heading, text)
  const fields = parseJson(rest)
  if (Exit.isFailure(fields) || !Predicate.isObject(fields.value))
    return `a message with a comment that is no JSON object: ${rest}`
  const { content = text, ...others } = { _tag: fromHeading(heading, "")._tag, ...fields.value } as Schema.JsonObject
  const tag = String(others["_tag"])
  const json = content === null ? others : { ...others, content }
  const decode = ("parts" in others ? undefined : codec.plain.get(tag)) ?? codec.decode
  const kept = decode(json)
  // what is kept as it is although its class is known was changed since
  const decoded =
    Exit.isSuccess(kept) && Message.isUnknown(kept.value) && codec.tags.has(tag) ? codec.strict(json) : kept
  return Exit.isSuccess(decoded)
    ? decoded.value
    : `the fields of a message are not those of its class \`${tag}\` (${String(Cause.squash(decoded.cause))})`
}
const parseJson = Schema.decodeUnknownExit(Schema.fromJsonString(Schema.Unknown))

const unknown = (tag: string): string =>
  `a message of the class \`${tag}\` could not be read again: give that class among \`classes\``
