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
 * 2. The last comment has, as JSON, what role, model and text do not say. With it the message comes back equal.
 * 3. Whatever stands between `message` and the next `message` without an `end` is unfinished and left out.
 * 4. What stands outside of such pairs is read as the original does, so that its files, and sections written by hand,
 *    can be read: top-level headings are roles, and the text between two, without blank lines around it, is a message.
 */
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { fromMarkdown } from "mdast-util-from-markdown"
import * as Message from "../Message.ts"

/** The parser; loaded when the first history is read. */
export type Parse = typeof fromMarkdown

/** What a heading says. */
export interface Heading {
  readonly role: string
  readonly model: string | undefined
}

export type Codec = Schema.Codec<Message.Message, Schema.Json>

const PREFIX = "<!-- miniagents"
const BEGIN = `${PREFIX} message -->`
const UNDERLINE = "=".repeat(40)

/** What is written before the text of a message: at any place, even in the middle of an unfinished line. */
export const opening = ({ model, role }: Heading): string =>
  `\n${BEGIN}\n${role}${model === undefined ? "" : ` / ${model}`}\n${UNDERLINE}\n`

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

  take(text: string): string {
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

const unescape = (text: string): string => text.replaceAll(escaped, "$1$2")
const escaped = new RegExp(`(^|\\n)(\\\\*)\\\\(?=${PREFIX})`, "g")

/** The messages of a file. */
export const parse = (file: string, fromMarkdown: Parse, codec: Codec): ReadonlyArray<Message.Message> => {
  const text = file.replace(/^\ufeff/, "")
  const messages: Array<Message.Message> = []
  let from = 0
  let inside = false
  let converted = false
  for (const mark of text.matchAll(marks)) {
    const at = mark.index
    if (mark[1] === "message") {
      if (!inside) messages.push(...foreign(text.slice(from, at), fromMarkdown))
      inside = true
      converted = mark[3] === "\r" // it was not written so: all the line ends were made CRLF since
    } else if (inside) {
      const body = converted ? text.slice(from, at).replaceAll("\r\n", "\n") : text.slice(from, at)
      messages.push(...own(body, mark[2], fromMarkdown, codec))
      inside = false
    }
    from = at + mark[0].length
  }
  if (!inside) messages.push(...foreign(text.slice(from), fromMarkdown))
  return messages
}
const marks = new RegExp(`(?<=^|\\n)${PREFIX} (message|end)(?: ([^\\n]*?))? -->(\\r?)(?:\\n|$)`, "g")

/** A message between its two comments; its text ends where the line before the last one does. */
const own = (
  body: string,
  rest: string | undefined,
  fromMarkdown: Parse,
  codec: Codec
): ReadonlyArray<Message.Message> => {
  // a heading takes two lines, and nobody means more than two blank ones before it; a text can be of any length
  const lines = body.split("\n", 4)
  const section = [2, 3, 4].map((count) => sections(lines.slice(0, count).join("\n"), fromMarkdown)[0]).find(Boolean)
  if (section === undefined) return []
  const text = body.slice(section.start).replace(/^(\r?\n|$)/, "")
  return [restore(section.heading, unescape(text.replace(/\n$/, "")), rest, codec)]
}

/** What the original, or a hand, wrote. */
const foreign = (text: string, fromMarkdown: Parse): ReadonlyArray<Message.Message> => {
  if (text.trim() === "") return []
  const lines = text.split("\n")
  // a process that was killed can have left the beginning of a comment
  while (lines.length > 0 && BEGIN.startsWith(lines.at(-1)!)) lines.pop()
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

/** The fields of a message that its heading and text do not say; nothing, when they say it all. */
export const restOf = (heading: Heading, text: string, message: Message.Message, codec: Codec): string | undefined => {
  if (text.isWellFormed() && Equal.equals(fromHeading(heading, text), message)) return undefined
  const encoded = Schema.encodeExit(codec)(message)
  if (Exit.isFailure(encoded)) return undefined
  const { _tag, content, metadata, ...fields } = encoded.value as Schema.JsonObject
  const rest = JSON.stringify({
    ...(_tag === fromHeading(heading, "")._tag ? {} : { _tag }),
    ...fields,
    ...(Equal.equals(metadata, {}) ? {} : { metadata }),
    ...(content === text && text.isWellFormed() ? {} : { content: content ?? null })
  })
  return rest.replaceAll(">", "\\u003e") // no end of the comment inside of it
}

/** A message of what was written; by its role and text alone where its class is not known. */
export const restore = (heading: Heading, text: string, rest: string | undefined, codec: Codec): Message.Message => {
  if (rest === undefined) return fromHeading(heading, text)
  const fields = Schema.decodeExit(Fields)(rest)
  if (Exit.isFailure(fields)) return fromHeading(heading, text)
  const byHeading = fromHeading(heading, text)
  const { content = text, ...others } = { _tag: byHeading._tag, ...fields.value }
  const decoded = Schema.decodeExit(codec)(content === null ? others : { ...others, content })
  return Exit.isSuccess(decoded) ? decoded.value : byHeading
}
const Fields = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Json))
