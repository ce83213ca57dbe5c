/**
 * Server-sent events out of text that comes in pieces of any size.
 *
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html. Two things that are not in it are read as
 * well: an event without the empty line after it at the end of a response, and the two ways in which servers report an
 * error in the middle of one without a field for data, as `error: {...}` (llama.cpp) and as a line of JSON.
 *
 * @since 0.1.0
 */

/**
 * An event: its name, which is empty for most, and its data. An event without data is none.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerSentEvent {
  readonly name: string
  readonly data: string
}

/**
 * Reads the text of one response. It is synchronous and keeps nothing but the event that is not whole yet.
 *
 * @since 0.1.0
 * @category models
 */
export class ServerSentEvents {
  private line = ""
  private isAfterReturn = false
  private name = ""
  private data: string | undefined = undefined
  private events: Array<ServerSentEvent> = []

  /** Reads on, and gives the events that are whole now. */
  push(text: string): Array<ServerSentEvent> {
    const lines = this.withOneLineEnd(text)
    let start = 0
    for (let end = lines.indexOf("\n"); end >= 0; end = lines.indexOf("\n", start)) {
      const line = lines.slice(start, end)
      this.onLine(this.line === "" ? line : this.line + line)
      this.line = ""
      start = end + 1
    }
    // a slice of its own: a piece of the text would keep all of that in memory until the line is whole
    this.line = `${this.line}${lines.slice(start)}\n`.slice(0, -1)
    const { events } = this
    this.events = []
    return events
  }

  /** Gives the event that was not ended. */
  end(): Array<ServerSentEvent> {
    return this.push("\n\n")
  }

  /** A line ends with CR, LF or both, and the two may come in different pieces. */
  private withOneLineEnd(text: string): string {
    if (text === "") return text
    const rest = this.isAfterReturn && text.startsWith("\n") ? text.slice(1) : text
    this.isAfterReturn = text.endsWith("\r")
    return rest.includes("\r") ? rest.replaceAll("\r\n", "\n").replaceAll("\r", "\n") : rest
  }

  private onLine(line: string): void {
    if (line === "") return this.onEnd()
    if (line.startsWith("data:")) return this.addData(line.slice(line.startsWith(" ", 5) ? 6 : 5))
    if (line.startsWith("event:")) this.name = line.slice(6).trim()
    else if (line.startsWith("{") || line.startsWith("[")) this.addData(line)
    else if (line.startsWith("error:")) {
      this.name = "error"
      this.addData(line.slice(6))
    }
  }

  private addData(data: string): void {
    this.data = this.data === undefined ? data : `${this.data}\n${data}`
  }

  private onEnd(): void {
    const { data, name } = this
    this.data = undefined
    this.name = ""
    // Keep-alives come as an event without data, or with data that is a comment.
    if (data !== undefined && data.trim() !== "" && !data.startsWith(":")) this.events.push({ name, data })
  }
}
