/** What a run says, as the result of a tool of MCP: a pure fold of the events of its transcript. */
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import * as McpSchema from "effect/ai/McpSchema"
import * as LlmMessage from "../../llm/agents/LlmMessage.ts"
import * as Message from "../../Message.ts"
import type * as Transcript from "../../Transcript.ts"

type Content = McpSchema.CallToolResult["content"][number]

/** What was had of a message: its text, or whatever else of it a result holds. */
interface Had {
  readonly silent: boolean
  text: string
  content: Content | undefined
  data: Schema.Json | undefined
}

/** What stands between two messages. */
const blankLine = "\n\n"

export class McpResult {
  /** By the index of the message. */
  private readonly had: Array<Had> = []
  /** The calls of tools that have not ended: what comes meanwhile is said inside of them. */
  private readonly open = new Set<string>()
  /** The first message that says something. */
  private first = Infinity
  /** How the run has ended. */
  private end: Transcript.Event | undefined = undefined
  private readonly decode: (json: unknown) => Exit.Exit<Message.Message, unknown>

  constructor(classes: ReadonlyArray<Message.AnyClass>) {
    const own = classes.filter((added) => !(LlmMessage.classes as ReadonlyArray<Message.AnyClass>).includes(added))
    this.decode = Schema.decodeUnknownExit(Message.codec([...LlmMessage.classes, ...own]))
  }

  /** Takes the next event, and gives what it adds to the text that is said. */
  add(event: Transcript.Event): string {
    switch (event._tag) {
      case "open":
        this.had[event.at] = { silent: event.known.aside === true, text: "", content: undefined, data: undefined }
        return ""
      case "text":
        return this.say(event.at, event.text)
      case "message":
        return this.whole(event.at, event.message)
      case "reset":
        this.had.length = event.at + 1
        this.had[event.at].text = this.had[event.at].text.slice(0, event.to)
        if (this.first >= event.at && event.to === 0) this.first = Infinity
        return ""
      case "broken":
        return ""
      default:
        this.end = event
        return ""
    }
  }

  /** What there is of it, and how it ended. */
  get result(): McpSchema.CallToolResult {
    const { end } = this
    const texts = this.had.flatMap(({ silent, text }) => (silent || text === "" ? [] : [text]))
    const isError = end?._tag !== "end"
    if (isError) texts.push(reasonOf(end))
    const said: ReadonlyArray<Content> =
      texts.length === 0 ? [] : [McpSchema.TextContent.make({ text: texts.join(blankLine) })]
    const files = this.had.flatMap(({ content }) => (content === undefined ? [] : [content]))
    const data = this.had.filter(({ silent }) => !silent)
    const structuredContent = data.length === 1 && !isError ? data[0].data : undefined
    return new McpSchema.CallToolResult({
      content: [...said, ...files],
      ...(structuredContent === undefined ? {} : { structuredContent }),
      ...(isError ? { isError } : {})
    })
  }

  /** What is said of a defect, if it ended with one. */
  get defect(): string | undefined {
    const { end } = this
    return end?._tag === "failed" && end.failure.id !== undefined ? reasonOf(end) : undefined
  }

  private say(at: number, text: string): string {
    const had = this.had[at]
    const follows = had.text === "" && this.first < at
    had.text += text
    if (had.silent || text === "") return ""
    this.first = Math.min(this.first, at)
    return follows ? blankLine + text : text
  }

  private whole(at: number, json: Schema.JsonObject): string {
    const had = this.had[at]
    if (json._tag === "ToolCall") this.open.add(String(json.id))
    if (json._tag === "ToolResult") this.open.delete(String(json.id))
    if (json._tag === "ResponsePart" && this.open.size === 0) had.content = contentOf(json.part)
    if (json._tag === "Data") had.data = json.data
    if (had.silent || had.text !== "") return ""
    const exit = this.decode(json) // its text follows from its fields
    return Exit.isSuccess(exit) ? this.say(at, String(exit.value)) : ""
  }
}

const reasonOf = (end: Transcript.Event | undefined): string => {
  if (end?._tag !== "failed") return "The run was interrupted"
  const { error, id, reason } = end.failure
  return `${error}: ${reason}${id === undefined ? "" : ` (${id})`}`
}

/** A file that a model made. */
const contentOf = (part: Schema.Json | undefined): Content | undefined => {
  if (!Predicate.isObject(part) || !("type" in part) || part.type !== "file") return undefined
  const { data, mediaType } = part as { readonly data?: unknown; readonly mediaType?: unknown }
  if (typeof data !== "string" || typeof mediaType !== "string") return undefined
  const bytes = Result.getOrUndefined(Base64.decode(data))
  if (bytes === undefined) return undefined
  const file = { mimeType: mediaType, data: bytes }
  if (mediaType.startsWith("image/")) return McpSchema.ImageContent.make(file)
  if (mediaType.startsWith("audio/")) return McpSchema.AudioContent.make(file)
  return McpSchema.EmbeddedResource.make({ resource: { uri: `data:${mediaType}`, mimeType: mediaType, blob: bytes } })
}
