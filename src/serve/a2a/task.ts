/** The replies of an agent as a task of A2A: what it says are artifacts, how it stands is the status. */
import * as DateTime from "effect/DateTime"
import type * as Schema from "effect/Schema"
import * as Transcript from "../../Transcript.ts"
import { Answer, type Change, type End, type Item } from "../folds/answer.ts"

/** What is known of a task from the start. */
export interface Head {
  readonly id: string
  readonly contextId: string
}

export type State = "SUBMITTED" | "WORKING" | "INPUT_REQUIRED" | "COMPLETED" | "FAILED" | "CANCELED"

type Json = Schema.JsonObject

/** The fold. It gives what a stream says of each event, and the task as it is. */
export class Task {
  private readonly head: Head
  private readonly answer = new Answer()
  /** What was had of the transcript. */
  position: Transcript.Position | undefined = undefined
  /** The artifacts that were begun. */
  private readonly begun = new Set<number>()
  private readonly calls = new Map<string, Json>()
  private readonly asked = new Map<string, Json>()

  constructor(head: Head) {
    this.head = head
  }

  get end(): End | undefined {
    return this.answer.end
  }

  /** What a stream says next, `now` being the time. */
  take(event: Transcript.Event, now: number): ReadonlyArray<Json> {
    this.position = Transcript.after(this.position, event)
    if (event._tag === "message") this.note(event.message)
    return this.answer.take(event).flatMap((change) => this.say(change, now))
  }

  /** Whether an event asks whoever reads it. */
  static asks(event: Transcript.Event): boolean {
    return event._tag === "message" && approvalOf(event.message) !== undefined
  }

  /** The task as it is. */
  task(status: Json, withArtifacts = true): Json {
    const artifacts = this.answer.items
      .filter((item) => isArtifact(item) && (item.status !== "open" || item.text !== ""))
      .map((item) => artifactOf(item, partsOf(item)))
    return { ...this.head, status, ...(withArtifacts ? { artifacts } : {}) }
  }

  /** How it stands, where it waits for signals of these names, if any. */
  status(waiting: ReadonlyArray<string>, now: number): Json {
    const { end } = this.answer
    if (end !== undefined) return this.endStatus(end, now)
    return waiting.length === 0
      ? statusOf("WORKING", now)
      : statusOf(
          "INPUT_REQUIRED",
          now,
          this.message(
            waiting.flatMap((name) => this.question(name)),
            "question"
          )
        )
  }

  statusUpdate(status: Json): Json {
    const { contextId, id } = this.head
    return { statusUpdate: { taskId: id, contextId, status } }
  }

  private say(change: Change, now: number): ReadonlyArray<Json> {
    switch (change._tag) {
      case "open":
        return []
      case "text":
        // fields of its own and files are said as such when it is whole
        if (!isArtifact(change.item) || !isText(change.item)) return []
        return [this.artifact(change.item, [{ text: change.text }], false)]
      case "close": {
        const { item } = change
        if (!isArtifact(item)) return []
        const files = item.files.map(filePart)
        return [this.artifact(item, !isText(item) ? partsOf(item) : files.length > 0 ? files : [{ text: "" }], true)]
      }
      case "reset":
        return this.reset()
      case "end":
        return [this.statusUpdate(this.endStatus(change.end, now))]
    }
  }

  private artifact(item: Item, parts: ReadonlyArray<Json>, lastChunk: boolean): Json {
    const append = this.begun.has(item.at)
    this.begun.add(item.at)
    const { contextId, id } = this.head
    return { artifactUpdate: { taskId: id, contextId, artifact: artifactOf(item, parts), append, lastChunk } }
  }

  /** Empties what is no longer there, and says again what was cut. */
  private reset(): ReadonlyArray<Json> {
    const { items } = this.answer
    const { contextId, id: taskId } = this.head
    const gone = [...this.begun].filter((at) => !items.some((item) => item.at === at))
    for (const at of gone) this.begun.delete(at)
    const emptied = gone.map((at) => {
      const artifact = { artifactId: idOf(at), parts: [{ text: "" }] }
      return { artifactUpdate: { taskId, contextId, artifact, append: false, lastChunk: false } }
    })
    const last = items.at(-1)
    const isCut = last?.status === "open" && this.begun.delete(last.at)
    return isCut ? [...emptied, this.artifact(last, [{ text: last.text }], false)] : emptied
  }

  private endStatus(end: End, now: number): Json {
    switch (end._tag) {
      case "done":
        return statusOf("COMPLETED", now)
      case "interrupted":
        return statusOf("CANCELED", now)
      case "failed": {
        const { error, id, reason } = end.failure
        const text = id === undefined ? `${error}: ${reason}` : `${reason} (${id})`
        return statusOf("FAILED", now, this.message([{ text }], "failure"))
      }
    }
  }

  private message(parts: ReadonlyArray<Schema.Json>, name: string): Json {
    const { contextId, id: taskId } = this.head
    return { messageId: `${taskId}-${name}`, role: "ROLE_AGENT", taskId, contextId, parts }
  }

  /** Keeps what a question is about. */
  private note(message: Json): void {
    const approvalId = approvalOf(message)
    if (approvalId !== undefined) this.asked.set(approvalId, message.part as Json)
    else if (message._tag === "ToolCall" && typeof message.id === "string") this.calls.set(message.id, message)
  }

  private question(signal: string): ReadonlyArray<Json> {
    const asked = this.asked.get(signal.replace(/^approval:/, ""))
    if (asked === undefined) return [{ text: `It waits for \`${signal}\`` }, { data: { signal } }]
    const { name = "", parameters = {} } = this.calls.get(String(asked.toolCallId)) ?? {}
    return [{ text: `May \`${String(name)}\` be called?` }, { data: { signal, approval: { name, parameters } } }]
  }
}

export const statusOf = (state: State, now: number, message?: Json): Json => ({
  state: `TASK_STATE_${state}`,
  ...(message === undefined ? {} : { message }),
  timestamp: DateTime.formatIso(DateTime.makeUnsafe(now))
})

const approvalOf = ({ _tag: tag, part }: Json): string | undefined => {
  if (tag !== "ResponsePart" || typeof part !== "object" || part === null || !("approvalId" in part)) return undefined
  return part.type === "tool-approval-request" ? String(part.approvalId) : undefined
}

/** What an agent says is what it makes; what it thinks stays with it. */
const isArtifact = ({ kind }: Item): boolean => kind === "text"

const idOf = (at: number): string => `m${at}`

/** Whether it is said as a text. */
const isText = ({ data, tag }: Item): boolean => data === undefined && tag !== "File"

const artifactOf = ({ agent, at }: Item, parts: ReadonlyArray<Json>): Json => ({
  artifactId: idOf(at),
  ...(agent === undefined ? {} : { name: agent }),
  parts
})

const partsOf = (item: Item): ReadonlyArray<Json> => {
  const { data, files, text } = item
  if (data !== undefined) return [{ data, mediaType: "application/json" }]
  const said = isText(item) ? [{ text }] : []
  // one that broke off has nothing else
  return files.length > 0 ? [...said, ...files.map(filePart)] : [{ text }]
}

const filePart = ({ fileName, mediaType, source }: Json): Json => {
  const where = (source ?? {}) as Json
  return {
    ...("url" in where ? { url: where.url } : { raw: where.data ?? "" }),
    ...(typeof mediaType === "string" ? { mediaType } : {}),
    ...(typeof fileName === "string" ? { filename: fileName } : {})
  }
}
