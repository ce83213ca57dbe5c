/**
 * Loads a folder of Markdown, HTML, text and source files, also compressed ones, and cuts it into passages.
 *
 * One bad file never fails the load: it is reported in `skipped`. Sizes are bounded, so that a huge file or a huge
 * folder costs no more memory or time than the limits allow, and what the limits left out is reported as well.
 *
 * @since 0.1.0
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib"
import * as HtmlWorker from "./HtmlWorker.ts"
import * as Passage from "./Passage.ts"

/**
 * One file that was read: its path relative to the root with `/` between the parts, its lines, and its size in bytes
 * on disk. `readBytes` is less than `bytes` when the file is longer than the limit. The lines of a compressed file are those
 * of its text, those of a page of HTML are Markdown.
 *
 * @since 0.1.0
 * @category models
 */
export interface Document {
  readonly path: string
  readonly lines: ReadonlyArray<string>
  readonly bytes: number
  readonly readBytes: number
}

/**
 * One file or folder that was left out, and why.
 *
 * @since 0.1.0
 * @category models
 */
export interface Skipped {
  readonly path: string
  readonly reason:
    | "empty"
    | "binary"
    | "minified"
    | "unreadable"
    | "archive"
    | "not plain text"
    | "unsupported type"
    | "over the limit"
}

/**
 * A loaded folder. `documents`, `passages` and `skipped` are in the order of their paths.
 *
 * @since 0.1.0
 * @category models
 */
export interface Corpus {
  readonly root: string
  readonly documents: ReadonlyArray<Document>
  readonly passages: ReadonlyArray<Passage.Passage>
  readonly skipped: ReadonlyArray<Skipped>
}

/**
 * What to load: the folder `root`, all of it or `only` these files and folders in it. At most `maxFileBytes` of one
 * file (1 MB), `maxBytes` of all (8 MB) and `maxFiles` files (5,000) are read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly root: string
  readonly only?: ReadonlyArray<string>
  readonly maxFileBytes?: number
  readonly maxBytes?: number
  readonly maxFiles?: number
}

/**
 * The folder cannot be searched. `message` names it and says what to do.
 *
 * @since 0.1.0
 * @category errors
 */
export class CorpusError extends Schema.TaggedError<CorpusError>()("CorpusError", {
  root: Schema.String,
  reason: Schema.Literals(["missing", "not a folder", "unreadable", "nothing readable"]),
  skipped: Schema.String
}) {
  override get message(): string {
    switch (this.reason) {
      case "missing":
        return `There is no folder \`${this.root}\`: check the path, or leave \`--docs\` out to search Effect's documentation`
      case "not a folder":
        return `\`${this.root}\` is a file: give the folder that contains it`
      case "unreadable":
        return `The folder \`${this.root}\` cannot be read: check its permissions or choose another folder`
      case "nothing readable":
        return `The folder \`${this.root}\` holds no Markdown, HTML, text or source to search${this.skipped}: choose another folder`
    }
  }
}

/**
 * The documentation that the installed `effect` package ships: `AGENTS.md`, `README.md` and `ai-docs/`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const effectDocs: Effect.Effect<Options, never, Path.Path> = Effect.gen(function* () {
  const path = yield* Path.Path
  const manifest = yield* path.fromFileUrl(new URL(import.meta.resolve("effect/package.json")))
  return { root: path.dirname(manifest), only: ["AGENTS.md", "README.md", "ai-docs"] }
}).pipe(Effect.orDie)

/**
 * Loads a folder. Hidden entries and `node_modules` are not looked into, links to folders are not followed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const load: (options: Options) => Effect.Effect<Corpus, CorpusError, FileSystem.FileSystem | Path.Path> =
  Effect.fnUntraced(function* (options: Options) {
    yield* checkRoot(options.root)
    const skipped: Array<Skipped> = []
    const files = yield* list(options, skipped)
    const plan = yield* limit(options, files, skipped)
    const documents: Array<Document> = []
    const loaded = yield* Effect.forEach(plan, (file) => readFile(options.root, file), { concurrency })
    const read = yield* Effect.forEach(
      loaded,
      (file) => ("lines" in file && isHtml(file.path) ? asMarkdown(file) : Effect.succeed(file)),
      { concurrency }
    )
    for (const one of read) {
      if ("lines" in one) documents.push(one)
      else skipped.push(one)
    }
    skipped.sort((a, b) => (a.path < b.path ? -1 : 1))
    if (documents.length === 0) {
      return yield* new CorpusError({ root: options.root, reason: "nothing readable", skipped: inBrackets(skipped) })
    }
    const folders = folderTopics(documents)
    const passages: Array<Passage.Passage> = []
    for (const document of documents) {
      for (const passage of passagesOf(document, folders)) passages.push(passage)
      yield* Effect.yieldNow
    }
    return { root: options.root, documents, passages, skipped }
  })

/**
 * What a person should know about the load, one sentence each: files read in part and files left out. Files of an
 * unsupported type are nothing to worry about and are not mentioned.
 *
 * @since 0.1.0
 * @category combinators
 */
export const notes = (corpus: Corpus): Array<string> => {
  const result = corpus.documents
    .filter((document) => document.readBytes < document.bytes)
    .map(
      (document) =>
        `\`${document.path}\` is ${megabytes(document.bytes)}: only its first ${megabytes(document.readBytes)} is searched`
    )
  for (const reason of notable) {
    const paths = corpus.skipped.filter((one) => one.reason === reason).map((one) => `\`${one.path}\``)
    if (paths.length > 0) result.push(`${reason}, not searched: ${someOf(paths)}`)
  }
  return result
}

const notable = ["unreadable", "empty", "binary", "minified", "archive", "not plain text", "over the limit"] as const

const concurrency = 16
const sniffedBytes = 8_192

const markdown = new Set(["md", "mdx", "markdown", "txt", "text", "rst", "adoc", "org", "html", "htm", "xhtml", ""])
const source = new Set(
  `ts tsx mts cts js jsx mjs cjs vue svelte py pyi rb go rs java kt kts scala clj ex exs erl hs ml fs cs c h cc cpp
  hpp m swift php lua r jl dart zig nim sh bash zsh fish ps1 sql graphql gql proto tf toml yaml yml css scss`.split(
    /\s+/
  )
)

// What people keep documents in that is not read here.
const archives = new Set("zip tar tgz 7z rar bz2 xz lzma tbz txz jar epub chm".split(" "))
const rich = new Set("pdf doc docx odt rtf pages ppt pptx odp xls xlsx ods ipynb ps djvu".split(" "))

const compressed: Readonly<
  Record<string, (bytes: Uint8Array, limit: { readonly maxOutputLength: number }) => Uint8Array>
> = {
  gz: gunzipSync,
  br: brotliDecompressSync,
  zst: zstdDecompressSync
}

interface Planned {
  readonly path: string
  readonly bytes: number
  readonly readBytes: number
}

const checkRoot = Effect.fnUntraced(function* (root: string) {
  const fs = yield* FileSystem.FileSystem
  const info = yield* fs
    .stat(root)
    .pipe(
      Effect.mapError(
        (error) =>
          new CorpusError({ root, skipped: "", reason: error.reason._tag === "NotFound" ? "missing" : "unreadable" })
      )
    )
  if (info.type !== "Directory") return yield* new CorpusError({ root, reason: "not a folder", skipped: "" })
  yield* fs
    .readDirectoryEntries(root)
    .pipe(Effect.mapError(() => new CorpusError({ root, reason: "unreadable", skipped: "" })))
})

const list = Effect.fnUntraced(function* (options: Options, skipped: Array<Skipped>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const maxFiles = options.maxFiles ?? 5_000
  const files: Array<string> = []
  const folders: Array<string> = [""]
  for (let folder = folders.shift(); folder !== undefined && files.length < maxFiles; folder = folders.shift()) {
    const at = folder
    const entries = yield* fs.readDirectoryEntries(path.join(options.root, at)).pipe(
      Effect.catch(() =>
        Effect.sync((): Array<FileSystem.DirectoryEntry> => {
          skipped.push({ path: `${at}/`, reason: "unreadable" })
          return []
        })
      )
    )
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith(".") || entry.name === "node_modules") continue
      if (at === "" && options.only !== undefined && !options.only.includes(entry.name)) continue
      const relative = at === "" ? entry.name : `${at}/${entry.name}`
      if (entry.type === "Directory") folders.push(relative)
      else if (entry.type !== "File" && entry.type !== "SymbolicLink") continue
      else if (kindOf(relative) === undefined) skipped.push({ path: relative, reason: unreadAs(relative) })
      else files.push(relative)
    }
  }
  for (const file of files.splice(maxFiles)) skipped.push({ path: file, reason: "over the limit" })
  for (const folder of folders) skipped.push({ path: `${folder}/`, reason: "over the limit" })
  return files.sort()
})

const limit = Effect.fnUntraced(function* (options: Options, files: ReadonlyArray<string>, skipped: Array<Skipped>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const infos = yield* Effect.forEach(files, (file) => Effect.option(fs.stat(path.join(options.root, file))), {
    concurrency
  })
  let budget = options.maxBytes ?? 8_000_000
  const plan: Array<Planned> = []
  files.forEach((file, i) => {
    const info = infos[i]!
    if (Option.isNone(info)) return skipped.push({ path: file, reason: "unreadable" })
    if (info.value.type !== "File") return
    const bytes = ByteSize.toNumberUnsafe(info.value.size)
    const most = options.maxFileBytes ?? defaultFileBytes
    const readBytes = Math.min(bytes, most)
    if (bytes > most && packing(file) !== undefined) return skipped.push({ path: file, reason: "over the limit" })
    if (bytes === 0) return skipped.push({ path: file, reason: "empty" })
    if (readBytes > budget) return skipped.push({ path: file, reason: "over the limit" })
    budget -= readBytes
    return plan.push({ path: file, bytes, readBytes })
  })
  return plan
})

const defaultFileBytes = 1_000_000

const readFile = Effect.fnUntraced(
  function* (root: string, file: Planned) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const name = path.join(root, file.path)
    const whole = file.readBytes === file.bytes
    const bytes = whole ? yield* fs.readFile(name) : yield* readStart(name, file.readBytes)
    return decode(
      file,
      yield* Effect.try({ try: () => unpacked(file.path, bytes), catch: () => "unreadable" as const })
    )
  },
  (effect, _root, file) => Effect.orElseSucceed(effect, (): Skipped => ({ path: file.path, reason: "unreadable" }))
)

const readStart = Effect.fnUntraced(function* (name: string, bytes: number) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* fs.open(name)
  const buffer = new Uint8Array(bytes)
  let filled = 0
  while (filled < bytes) {
    const count = yield* file.read(buffer.subarray(filled))
    if (count === 0) break
    filled += count
  }
  return buffer.subarray(0, filled)
}, Effect.scoped)

const unpacked = (path: string, bytes: Uint8Array): Uint8Array =>
  packing(path)?.(bytes, { maxOutputLength: mostUnpacked }) ?? bytes

const mostUnpacked = 4_000_000

const asMarkdown = (document: Document): Effect.Effect<Document | Skipped> =>
  HtmlWorker.toMarkdown(document.lines.join("\n")).pipe(
    Effect.map(({ markdown, title }): Document | Skipped =>
      markdown.trim() === ""
        ? { path: document.path, reason: "empty" }
        : { ...document, lines: [...(title === "" ? [] : [`# ${title}`, ""]), ...markdown.split("\n")] }
    ),
    Effect.orElseSucceed((): Skipped => ({ path: document.path, reason: "unreadable" }))
  )

const decode = (file: Planned, bytes: Uint8Array): Document | Skipped => {
  const skip = (reason: Skipped["reason"]): Skipped => ({ path: file.path, reason })
  if (isBinary(bytes.subarray(0, sniffedBytes))) return skip("binary")
  const text = new TextDecoder().decode(bytes)
  if (text.trim() === "") return skip("empty")
  const lines = text.split(/\r\n|\n|\r/)
  // The last line of a file that is read in part may be cut in the middle.
  if (file.readBytes < file.bytes && lines.length > 1) lines.pop()
  if (kindOf(file.path) === "source" && text.length / lines.length > 400) return skip("minified")
  return { path: file.path, lines, bytes: file.bytes, readBytes: file.readBytes }
}

const isBinary = (start: Uint8Array): boolean => {
  if (start.includes(0)) return true
  const text = new TextDecoder().decode(start)
  let strange = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0xfffd || (code < 32 && code !== 9 && code !== 10 && code !== 12 && code !== 13)) strange++
  }
  return strange > text.length / 10
}

const extensionOf = (path: string): string => {
  const name = path.slice(path.lastIndexOf("/") + 1)
  const dot = name.lastIndexOf(".")
  return dot < 0 ? "" : name.slice(dot + 1).toLowerCase()
}

const packing = (path: string) => compressed[extensionOf(path)]

const withoutPacking = (path: string): string =>
  packing(path) === undefined ? path : path.slice(0, path.lastIndexOf("."))

const isHtml = (path: string): boolean => /\.x?html?$/i.test(withoutPacking(path))

const kindOf = (path: string): "markdown" | "source" | undefined => {
  const extension = extensionOf(withoutPacking(path))
  if (packing(path) !== undefined && archives.has(extension)) return undefined
  return markdown.has(extension) ? "markdown" : source.has(extension) ? "source" : undefined
}

const unreadAs = (path: string): Skipped["reason"] => {
  const extensions = [extensionOf(path), extensionOf(withoutPacking(path))]
  if (extensions.some((one) => archives.has(one))) return "archive"
  return extensions.some((one) => rich.has(one)) ? "not plain text" : "unsupported type"
}

// What the `index.md` of a folder says at its top, by folder.
const folderTopics = (documents: ReadonlyArray<Document>): Map<string, string> =>
  new Map(
    documents
      .filter((document) => document.path.endsWith("/index.md"))
      .map((document) => [folderOf(document.path), document.lines.slice(0, 8).join(" ").slice(0, 400)])
  )

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf("/"))

const passagesOf = (document: Document, folders: ReadonlyMap<string, string>): Array<Passage.Passage> =>
  kindOf(document.path) === "source"
    ? Passage.fromSource(document.path, document.lines, folders.get(folderOf(document.path)))
    : Passage.fromMarkdown(document.path, document.lines)

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`

const someOf = (items: ReadonlyArray<string>): string =>
  items.length <= 3 ? items.join(", ") : `${items.slice(0, 3).join(", ")} and ${items.length - 3} more`

const inBrackets = (skipped: ReadonlyArray<Skipped>): string =>
  skipped.length === 0 ? "" : ` (${someOf(skipped.map((one) => `\`${one.path}\`: ${one.reason}`))})`
