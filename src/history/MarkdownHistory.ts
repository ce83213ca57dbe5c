/**
 * A history in a Markdown file: a person can read it, a conversation can be continued from it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { isPlatformError, type PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as FileError from "../internal/fileError.ts"
import { missing } from "../internal/optional.ts"
import { Joiner } from "../internal/wholeCharacters.ts"
import type * as Message from "../Message.ts"
import type { MessagePromise } from "../MessagePromise.ts"
import * as FileLock from "./FileLock.ts"
import * as History from "./History.ts"
import * as Markdown from "./historyMarkdown.ts"
import * as Origins from "./origins.ts"

/**
 * Options of a Markdown history: the file, and the message classes in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends History.AgentOptions {
  /**
   * The path of the file. Missing folders are made.
   *
   * @default "CHAT.md"
   */
  readonly file?: string
  /** The message classes, besides those of this library, that the conversation has. */
  readonly classes?: ReadonlyArray<Message.AnyClass>
  /**
   * Whether the conversation in the file is continued. Otherwise the file is emptied when it is opened.
   *
   * @default true
   */
  readonly append?: boolean
}

/**
 * Opens a history agent on a Markdown file until the scope closes: one message after the other, each under a heading
 * with its role and model, its text token by token as it comes.
 *
 * **When to use**
 *
 * For one conversation that a person reads and edits. For many of them, or several processes, use `SqlHistory`.
 *
 * **Details**
 *
 * Any message comes back equal to what it was, whatever its text; one of a class that could not be read again is
 * refused when it is appended. Messages are appended and never rewritten: a process that is killed loses at most the
 * message that was not finished, whose text stays in the file for people to read. The file can be edited meanwhile:
 * what was changed is there at the next read, and what can no longer be read is an error that names its line. Files
 * that the Python original wrote can be read and continued, and sections can be added by hand. A second process that
 * opens the file is refused (`FileLock`). Reading needs the package `mdast-util-from-markdown`, which is loaded when a
 * history is first asked for all of it; until then no message is held in memory.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MarkdownHistory } from "miniagents/history"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const history = yield* MarkdownHistory.make({ file: "chats/today.md" })
 *   return yield* (yield* history.trigger("Hello", { returnFullHistory: true })).messages
 * }))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<
  History.HistoryAgent<History.HistoryError>,
  History.HistoryError,
  FileSystem.FileSystem | Path.Path | Scope.Scope
> => Effect.map(makeHistory(options), (history) => History.agent("MarkdownHistory", history, options))

/**
 * Opens the history that the agent of `make` is made of.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeHistory = (
  options: Options = {}
): Effect.Effect<
  History.History<History.HistoryError>,
  History.HistoryError,
  FileSystem.FileSystem | Path.Path | Scope.Scope
> =>
  Effect.gen(function* () {
    const { append = true, classes = [], file = "CHAT.md" } = options
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const opened = Effect.gen(function* () {
      yield* fs.makeDirectory(path.dirname(file), { recursive: true })
      yield* FileLock.acquire(file)
      yield* Effect.scoped(fs.open(file, { flag: append ? "a" : "w" })) // fails now rather than at the first message
    })
    yield* Effect.mapError(opened, failed("open", file))
    const turn = yield* Semaphore.make(1)
    const self = new MarkdownFile(fs, file, Markdown.codecOf(History.classes(classes)))
    return {
      append: (promise) => turn.withPermit(self.append(promise)),
      messages: turn.withPermit(Effect.map(self.said, (all) => all.map(({ message }) => message))),
      promises: turn.withPermit(Effect.flatMap(self.said, Origins.promises))
    }
  })

class MarkdownFile {
  private readonly fs: FileSystem.FileSystem
  private readonly file: string
  private readonly codec: Markdown.Codec
  /** What was read and appended since, and how the file looks then: another look means other hands. */
  private cache: { readonly messages: Array<Origins.Said>; look: Look } | undefined = undefined

  constructor(fs: FileSystem.FileSystem, file: string, codec: Markdown.Codec) {
    this.fs = fs
    this.file = file
    this.codec = codec
  }

  append<E>(promise: MessagePromise<E>): Effect.Effect<void, E | History.HistoryError> {
    return Effect.flatMap(this.appendOnce(promise), (kept) => (kept ? Effect.void : this.append(promise)))
  }

  get said(): Effect.Effect<ReadonlyArray<Origins.Said>, History.HistoryError> {
    return Effect.gen({ self: this }, function* () {
      const look = lookOf(yield* this.fs.stat(this.file))
      if (this.cache === undefined || !isSame(this.cache.look, look)) this.cache = { messages: yield* this.read, look }
      return [...this.cache.messages]
    }).pipe(Effect.mapError(failed("read", this.file)))
  }

  /** Whether the message is in the file: an editor that saves may have put a new file in the place of this one. */
  private appendOnce<E>(promise: MessagePromise<E>): Effect.Effect<boolean, E | History.HistoryError> {
    const io = Effect.mapError(failed("append to", this.file))
    return Effect.gen({ self: this }, function* () {
      const file = yield* io(this.fs.open(this.file, { flag: "a" }))
      const before = lookOf(yield* io(file.stat))
      let { size } = before
      const origin = yield* Origins.originOf(promise)
      const message = yield* this.write(promise, origin, (bytes) => {
        size += BigInt(bytes.length)
        return bytes.length === 0 ? Effect.void : Effect.uninterruptible(io(file.writeAll(bytes)))
      })
      const after = yield* this.fs
        .stat(this.file)
        .pipe(Effect.map(lookOf), Effect.option, Effect.map(Option.getOrUndefined))
      if (after === undefined || after.inode !== before.inode) return false
      if (this.cache !== undefined && isSame(this.cache.look, before) && after.size === size) {
        this.cache.messages.push({ message, origin })
        this.cache.look = after
      }
      return true
    }).pipe(Effect.scoped)
  }

  /** The message as it will be read. */
  private write<E>(
    promise: MessagePromise<E>,
    origin: Origins.Origin | undefined,
    write: (bytes: Uint8Array) => Effect.Effect<void, History.HistoryError>
  ): Effect.Effect<Message.Message, E | History.HistoryError> {
    const heading = Markdown.headingOf(promise.known)
    const escaper = new Markdown.Escaper()
    const joiner = new Joiner()
    const text: Array<string> = []
    const push = (token: string) => {
      text.push(token)
      return encode(joiner.push(escaper.push(token)))
    }
    return Effect.gen({ self: this }, function* () {
      yield* write(encode(Markdown.opening(heading, origin)))
      yield* Stream.runForEachArray(promise, (tokens) => write(push(tokens.join(""))))
      const message = yield* promise.message
      const whole = text.join("")
      yield* write(encode(joiner.push(escaper.end()) + joiner.end()))
      const rest = Markdown.restOf(heading, whole, message, this.codec)
      if (Result.isFailure(rest)) return yield* failed("append to", this.file)({ message: rest.failure })
      yield* write(encode(Markdown.closing(rest.success)))
      return message
    })
  }

  private get read() {
    return Effect.gen({ self: this }, function* () {
      const { fromMarkdown } = yield* parser
      const reader = new Markdown.Reader(fromMarkdown, this.codec)
      const pieces = this.fs.stream(this.file, { chunkSize: PIECE })
      yield* Stream.runForEach(pieces, (piece) => Effect.sync(() => reader.push(piece)))
      reader.end()
      const { damage, messages } = reader
      if (damage !== undefined) return yield* Effect.fail({ message: `line ${damage.line}: ${damage.reason}` })
      return messages
    })
  }
}

/** How many bytes are read at a time: some hundred messages, in a few milliseconds. */
const PIECE = 128 * 1024

/** By which a change of the file is noticed. */
interface Look {
  readonly inode: bigint | undefined
  readonly size: bigint
  readonly changed: number | undefined
}

const lookOf = ({ ino, mtime, size }: FileSystem.File.Info): Look => ({
  inode: Option.getOrUndefined(ino),
  size,
  changed: Option.getOrUndefined(mtime)?.getTime()
})

const isSame = (self: Look, that: Look): boolean =>
  self.inode === that.inode && self.size === that.size && self.changed === that.changed

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Loaded when it is needed, and only needed by those who read a history. */
const parser = Effect.tryPromise({
  try: () => import("mdast-util-from-markdown").catch(missing),
  catch: () => ({
    message: "it needs the package `mdast-util-from-markdown`: run `npm install mdast-util-from-markdown`"
  })
})

const failed =
  (operation: History.HistoryError["operation"], history: string) =>
  (cause: PlatformError | FileLock.Locked | { readonly message: string }): History.HistoryError => {
    const reason = isPlatformError(cause) ? FileError.sentence(cause, history) : cause.message
    return new History.HistoryError({ operation, history, reason, ...(cause instanceof Error ? { cause } : {}) })
  }
