/** A recording in the forms in which it leaves the inspector. */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Cassette from "./cassette.ts"
import type * as Recording from "./recording.ts"
import type { Event } from "../wire.ts"

/** The lines of a file of events. */
export const toLines = (events: ReadonlyArray<Event>): string =>
  events.map((event) => `${JSON.stringify(event)}\n`).join("")

/** A call and all below it, as a document: what it was sent, what it said, what went wrong. */
export const toMarkdown = (recording: Recording.Recording, roots: ReadonlyArray<number>): string => {
  const lines: Array<string> = []
  const write = (id: number, depth: number) => {
    const call = recording.calls[id]
    if (call === undefined) return
    lines.push(`${"#".repeat(Math.min(depth + 2, 6))} ${call.agent} \`${call.path}\``)
    const parameters = JSON.stringify(call.parameters)
    if (parameters !== "{}") lines.push(`Parameters: \`${parameters}\``)
    const says = (at: number) => said(recording.messages[at])
    if (call.sent.length > 0) lines.push("**Sent**", ...call.sent.map(says))
    if (call.replied.length > 0) lines.push("**Replied**", ...call.replied.map(says))
    const end = call.returned?.end
    if (end?.is === "failed") lines.push(`**Failed:** ${end.failure.error}: ${end.failure.reason}`)
    for (const child of call.children) write(child, depth + 1)
  }
  for (const root of roots) write(root, 0)
  return `# ${recording.title}\n\n${lines.join("\n\n")}\n`
}

const said = (message: Recording.Message | undefined): string => {
  if (message === undefined) return ""
  const { broken, known, message: whole, text } = message
  const shown = text === "" ? JSON.stringify(whole ?? known) : text
  const quoted = shown.replaceAll(/^/gm, "> ")
  return broken ? `${quoted}\n>\n> (it ended here)` : quoted
}

const kept = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const

/** A file to be kept, in the form that is asked for. */
export const response = (
  recording: Recording.Recording,
  query: URLSearchParams
): HttpServerResponse.HttpServerResponse => {
  if (query.get("as") === "cassette") {
    const headers = { ...kept, "content-disposition": `attachment; filename="cassette.tar"` }
    return HttpServerResponse.uint8Array(Cassette.tar(Cassette.files(recording)), {
      contentType: "application/x-tar",
      headers
    })
  }
  const isMarkdown = query.get("as") === "markdown"
  const call = query.get("call")
  const roots = call !== null && /^\d+$/.test(call) ? [Number(call)] : recording.roots
  const text = isMarkdown ? toMarkdown(recording, roots) : toLines(recording.events)
  const contentType = isMarkdown ? "text/markdown; charset=utf-8" : "application/x-ndjson"
  const name = isMarkdown ? "run.md" : "run.ndjson"
  return HttpServerResponse.text(text, {
    contentType,
    headers: { ...kept, "content-disposition": `attachment; filename="${name}"` }
  })
}
