/** The file of a recording: lines of JSON, written as it goes, in parts of a limited size. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Recording } from "./recording.ts"
import type { Event } from "../wire.ts"

/** A recording could not be read or written. */
export class RecordError extends Schema.TaggedError<RecordError>()("RecordError", {
  file: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `The recording \`${this.file}\`: ${this.problem}`
  }
}

/** How large a part of a recording gets, in bytes, before the next one is begun. */
const maxPart = 64 * 1024 * 1024
/** How much is gathered in memory at most, in UTF-16 units. */
const maxBuffer = 256 * 1024

/** The name of a part: that of the recording, and from the second one on its number behind it. */
const partName = (file: string, part: number): string => (part === 0 ? file : `${file}.${part}`)

/**
 * Writes a recording.
 *
 * Invariants:
 * 1. What was flushed is in the file whatever becomes of the process, for it was handed to the system.
 * 2. Each line is in one part as a whole.
 */
export class RecordFile {
  readonly file: string
  private readonly partSize: number
  private lines: Array<string> = []
  private size = 0
  private part = 0
  private written = 0
  private descriptor: number | undefined
  private problem: unknown = undefined

  constructor(file: string, partSize: number) {
    this.file = file
    this.partSize = partSize
    fs.mkdirSync(path.dirname(file), { recursive: true })
    this.descriptor = fs.openSync(file, "wx", 0o600)
  }

  add(event: Event): void {
    if (this.problem !== undefined) return
    const line = `${JSON.stringify(event)}\n`
    this.lines.push(line)
    this.size += line.length
    // a closing program may tell something after the last flush
    if (this.size > maxBuffer || this.descriptor === undefined) this.flush()
  }

  /** Hands over to the system what was gathered. A disk that is full ends the recording and nothing else. */
  flush(): void {
    if (this.lines.length === 0 || this.problem !== undefined) return
    const bytes = new TextEncoder().encode(this.lines.join(""))
    this.lines = []
    this.size = 0
    const wrote = Effect.runSyncExit(Effect.sync(() => this.write(bytes)))
    if (wrote._tag === "Failure") this.problem = wrote.cause
  }

  close(): void {
    this.flush()
    if (this.descriptor !== undefined) fs.closeSync(this.descriptor)
    this.descriptor = undefined
  }

  private write(bytes: Uint8Array): void {
    if (this.descriptor === undefined) return fs.appendFileSync(partName(this.file, this.part), bytes)
    if (this.written > 0 && this.written + bytes.length > this.partSize) {
      fs.closeSync(this.descriptor)
      this.part++
      this.written = 0
      this.descriptor = fs.openSync(partName(this.file, this.part), "wx", 0o600)
    }
    fs.writeSync(this.descriptor, bytes)
    this.written += bytes.length
  }
}

/** Opens the file of a new recording; it is closed with the scope. `partSize` is in bytes. */
export const make = (file: string, partSize: number = maxPart): Effect.Effect<RecordFile, RecordError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new RecordFile(file, partSize),
      catch: (cause) => new RecordError({ file, problem: problemOf(cause) })
    }),
    (open) => Effect.sync(() => open.close())
  )

/** A recording of its own for a run that begins now, in a folder; or the file itself, where the name is that of one. */
export const nameIn = (place: string, startedAt: number): string => {
  if (place.endsWith(".ndjson")) return place
  const time = DateTime.formatIso(DateTime.makeUnsafe(startedAt))
    .replaceAll(/[-:]/g, "")
    .replace("T", "_")
    .replace(/\.(\d+)Z$/, "_$1")
  return path.join(place, `${time}.ndjson`)
}

/** Reads a recording, all its parts, as far as its lines are whole. */
export const read = (file: string): Effect.Effect<Recording, RecordError> =>
  Effect.try({
    try: () => {
      const recording = new Recording()
      for (let part = 0; part === 0 || fs.existsSync(partName(file, part)); part++) {
        readPart(partName(file, part), recording)
      }
      if (recording.events[0]?._tag !== "run") throw new Error("it is no recording of the inspector")
      return recording
    },
    catch: (cause) => new RecordError({ file, problem: problemOf(cause) })
  })

/** In pieces, so that a file may be larger than a text can be. */
const readPart = (name: string, recording: Recording): void => {
  const descriptor = fs.openSync(name, "r")
  const buffer = new Uint8Array(1024 * 1024)
  const decoder = new TextDecoder()
  let rest = ""
  for (;;) {
    const length = fs.readSync(descriptor, buffer)
    const lines = (rest + decoder.decode(buffer.subarray(0, length), { stream: length > 0 })).split("\n")
    rest = lines.pop()!
    for (const line of lines) if (line !== "") recording.add(parse(line))
    if (length === 0) break
  }
  fs.closeSync(descriptor)
}

const parse = (line: string): Event => {
  const parsed = Effect.runSyncExit(Effect.sync(() => JSON.parse(line) as Event))
  if (Exit.isSuccess(parsed)) return parsed.value
  throw new Error(`it is no recording of the inspector: a line of it is no JSON, \`${line.slice(0, 40)}\``)
}

const problemOf = (cause: unknown): string => {
  const { code } = cause as { readonly code?: string }
  if (code === "ENOENT") return "there is no such file"
  if (code === "EEXIST") return "it is there already: take another name"
  return cause instanceof Error ? cause.message : String(cause)
}
