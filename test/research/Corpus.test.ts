import { brotliCompressSync, gzipSync } from "node:zlib"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as PlatformError from "effect/PlatformError"
import * as Corpus from "../../examples/research/Corpus.ts"

const folder = Effect.fnUntraced(function* (files: Record<string, string | Uint8Array>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const root = yield* fs.makeTempDirectoryScoped({ prefix: "miniagents-corpus-" })
  for (const [name, content] of Object.entries(files)) {
    yield* fs.makeDirectory(path.dirname(path.join(root, name)), { recursive: true })
    yield* typeof content === "string"
      ? fs.writeFileString(path.join(root, name), content)
      : fs.writeFile(path.join(root, name), content)
  }
  return root
})

const denied = (name: string) =>
  PlatformError.systemError({ _tag: "PermissionDenied", module: "FileSystem", method: "open", pathOrDescriptor: name })

layer(Layer.merge(NodeFileSystem.layer, NodePath.layer))("Corpus", (it) => {
  it.effect("loads Markdown, text and source of all folders with paths relative to the root", () =>
    Effect.gen(function* () {
      const root = yield* folder({ "b/guide.md": "# Guide\n\nText.", "a.ts": "export const a = 1", README: "Read me." })
      const corpus = yield* Corpus.load({ root })
      assert.deepStrictEqual(
        corpus.documents.map((document) => document.path),
        ["README", "a.ts", "b/guide.md"]
      )
      assert.deepStrictEqual(corpus.skipped, [])
      assert.deepStrictEqual(Corpus.notes(corpus), [])
    })
  )

  it.effect("looks neither into node_modules nor into hidden entries nor outside `only`", () =>
    Effect.gen(function* () {
      const root = yield* folder({
        "docs/a.md": "A",
        "other/b.md": "B",
        "docs/node_modules/c.md": "C",
        "docs/.hidden.md": "D"
      })
      const corpus = yield* Corpus.load({ root, only: ["docs"] })
      assert.deepStrictEqual(
        corpus.documents.map((document) => document.path),
        ["docs/a.md"]
      )
    })
  )

  it.effect("fails with one sentence for a missing folder", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Corpus.load({ root: "/no/such/folder" }))
      assert.strictEqual(error._tag, "CorpusError")
      assert.strictEqual(
        error.message,
        "There is no folder `/no/such/folder`: check the path, or leave `--docs` out to search Effect's documentation"
      )
    })
  )

  it.effect("fails with one sentence for a file given as the folder", () =>
    Effect.gen(function* () {
      const root = yield* folder({ "a.md": "A" })
      const error = yield* Effect.flip(Corpus.load({ root: `${root}/a.md` }))
      assert.strictEqual(error.message, `\`${root}/a.md\` is a file: give the folder that contains it`)
    })
  )

  it.effect("fails with one sentence for an empty folder", () =>
    Effect.gen(function* () {
      const root = yield* folder({})
      const error = yield* Effect.flip(Corpus.load({ root }))
      assert.strictEqual(
        error.message,
        `The folder \`${root}\` holds no Markdown, HTML, text or source to search: choose another folder`
      )
    })
  )

  it.effect("says what a folder with nothing readable holds instead", () =>
    Effect.gen(function* () {
      const root = yield* folder({ "a.md": "", "b.md": new Uint8Array([80, 0, 1]), "c.pdf": "x" })
      const error = yield* Effect.flip(Corpus.load({ root }))
      assert.strictEqual(error.reason, "nothing readable")
      assert.include(error.message, "(`a.md`: empty, `b.md`: binary, `c.pdf`: not plain text)")
    })
  )

  it.effect("skips empty, binary and minified files and loads the rest", () =>
    Effect.gen(function* () {
      const root = yield* folder({
        "blank.md": " \n\n",
        "empty.md": "",
        "good.md": "Good.",
        "noise.txt": new Uint8Array(500).map((_, i) => (i * 151) % 256 || 1),
        "packed.js": `var a=1;${"a=a+1;".repeat(1_000)}`,
        "picture.md": new Uint8Array([137, 80, 78, 71, 0, 0])
      })
      const corpus = yield* Corpus.load({ root })
      assert.deepStrictEqual(
        corpus.documents.map((document) => document.path),
        ["good.md"]
      )
      assert.deepStrictEqual(corpus.skipped, [
        { path: "blank.md", reason: "empty" },
        { path: "empty.md", reason: "empty" },
        { path: "noise.txt", reason: "binary" },
        { path: "packed.js", reason: "minified" },
        { path: "picture.md", reason: "binary" }
      ])
      assert.deepStrictEqual(Corpus.notes(corpus), [
        "empty, not searched: `blank.md`, `empty.md`",
        "binary, not searched: `noise.txt`, `picture.md`",
        "minified, not searched: `packed.js`"
      ])
    })
  )

  it.effect("reads compressed files and pages, and names archives and what is not plain text", () =>
    Effect.gen(function* () {
      const root = yield* folder({
        "a.md.gz": gzipSync("# Kettle\n\nDescale it."),
        "b.txt.br": brotliCompressSync("Tea."),
        "c.html": "<html><head><title>Pots</title></head><body><nav>Menu</nav><p>Warm the pot.</p></body></html>",
        "d.md.gz": "not compressed",
        "e.zip": "PK",
        "f.tar.gz": gzipSync("tar"),
        "g.pdf": "%PDF",
        "h.png": "PNG",
        "bomb.md.gz": gzipSync(new Uint8Array(20_000_000))
      })
      const corpus = yield* Corpus.load({ root })
      assert.deepStrictEqual(
        corpus.documents.map(({ lines, path }) => [path, lines.join(" ").trim()]),
        [
          ["a.md.gz", "# Kettle  Descale it."],
          ["b.txt.br", "Tea."],
          ["c.html", "# Pots  Warm the pot."]
        ]
      )
      assert.deepStrictEqual(Corpus.notes(corpus), [
        "unreadable, not searched: `bomb.md.gz`, `d.md.gz`",
        "archive, not searched: `e.zip`, `f.tar.gz`",
        "not plain text, not searched: `g.pdf`"
      ])
    })
  )

  it.effect("reports a file and a folder it may not read and loads the rest", () =>
    Effect.gen(function* () {
      const root = yield* folder({ "good.md": "Good.", "secret.md": "Secret.", "private/x.md": "X" })
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      // A link to nowhere cannot be read by anybody; permissions would not stop a test that runs as root.
      yield* fs.symlink(path.join(root, "gone.md"), path.join(root, "link.md"))
      const corpus = yield* Corpus.load({ root }).pipe(
        Effect.provideService(FileSystem.FileSystem, {
          ...fs,
          readFile: (name) => (name.endsWith("secret.md") ? Effect.fail(denied(name)) : fs.readFile(name)),
          readDirectoryEntries: (name) =>
            name.endsWith("private") ? Effect.fail(denied(name)) : fs.readDirectoryEntries(name)
        })
      )
      assert.deepStrictEqual(
        corpus.documents.map((document) => document.path),
        ["good.md"]
      )
      assert.deepStrictEqual(Corpus.notes(corpus), ["unreadable, not searched: `link.md`, `private/`, `secret.md`"])
    })
  )

  it.effect("does not follow links to folders, so a loop of links ends", () =>
    Effect.gen(function* () {
      const root = yield* folder({ "docs/a.md": "A" })
      const fs = yield* FileSystem.FileSystem
      yield* fs.symlink(root, `${root}/docs/again`)
      const corpus = yield* Corpus.load({ root })
      assert.strictEqual(corpus.documents.length, 1)
    })
  )

  it.effect("reads the start of a 50 MB file only and says so", () =>
    Effect.gen(function* () {
      const root = yield* folder({ "small.md": "Small." })
      const fs = yield* FileSystem.FileSystem
      const chunk = new TextEncoder().encode(
        `${"Streams carry elements. ".repeat(40)}\n`.repeat(1_041).padEnd(1_000_000)
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const file = yield* fs.open(`${root}/huge.md`, { flag: "w" })
          yield* Effect.repeat(file.writeAll(chunk), { times: 49 })
        })
      )
      const corpus = yield* Corpus.load({ root })
      assert.deepStrictEqual(Corpus.notes(corpus), ["`huge.md` is 50.0 MB: only its first 1.0 MB is searched"])
      const lines = corpus.passages.flatMap((passage) => passage.lines)
      assert.isBelow(lines.join("\n").length, 1_000_001)
    })
  )

  it.effect("keeps to the limits on files and bytes and names what they left out", () =>
    Effect.gen(function* () {
      const root = yield* folder({ "a.md": "a".repeat(60), "b.md": "b".repeat(60), "c.md": "c", "d.md": "d" })
      const bytes = yield* Corpus.load({ root, maxBytes: 100 })
      assert.deepStrictEqual(bytes.skipped, [{ path: "b.md", reason: "over the limit" }])
      const files = yield* Corpus.load({ root, maxFiles: 3 })
      assert.deepStrictEqual(Corpus.notes(files), ["over the limit, not searched: `d.md`"])
    })
  )

  it.effect("finds the documentation that the effect package ships", () =>
    Effect.gen(function* () {
      const corpus = yield* Effect.flatMap(Corpus.effectDocs, Corpus.load)
      const paths = corpus.documents.map((document) => document.path)
      assert.includeMembers(paths, ["AGENTS.md", "README.md", "ai-docs/src/index.md"])
      assert.deepStrictEqual(Corpus.notes(corpus), [])
    })
  )
})
