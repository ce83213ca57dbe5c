/** The history in a Markdown file. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Latch, Schema, Stream } from "effect"
import { systemError } from "effect/PlatformError"
import { Message, MessagePromise, MiniAgents } from "miniagents"
import { MarkdownHistory } from "miniagents/history"
import { Folder } from "../agents/Folder.ts"
import { suite } from "./History.contract.ts"

class Note extends Message.Class<Note>()("Note", { title: Schema.String, on: Message.Text }) {}

const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 }))

const inFolder = Effect.map(Folder, (folder) => `${folder}/chats/CHAT.md`)
const open = (options: Omit<MarkdownHistory.Options, "file"> = {}) =>
  Effect.flatMap(inFolder, (file) => MarkdownHistory.makeHistory({ ...options, file }))
const read = Effect.flatMap(inFolder, (file) => FileSystem.FileSystem.use((fs) => fs.readFileString(file)))
const write = (text: string | Uint8Array) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(`${yield* Folder}/chats`, { recursive: true })
    yield* fs.writeFile(yield* inFolder, typeof text === "string" ? new TextEncoder().encode(text) : text)
  })
const append = (message: Message.Message) =>
  Effect.scoped(Effect.flatMap(open(), (history) => history.append(MessagePromise.of(message))))
const load = Effect.scoped(Effect.flatMap(open(), (history) => history.messages))
const texts = (messages: ReadonlyArray<Message.Message>) =>
  messages.map((message) => `${message._tag}${"model" in message ? ` (${message.model})` : ""}: ${message}`)

const fresh = (options: Omit<MarkdownHistory.Options, "file"> = {}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* fs.remove(yield* inFolder, { force: true })
    return yield* open(options)
  }).pipe(Effect.catchTag("PlatformError", Effect.die))

suite("Markdown", {
  make: fresh(),
  layer: Folder.layer,
  reopen: open(),
  makeWith: (classes) => fresh({ classes })
})

/** What the original writes: `\n{role}{ / model}\n{40 times =}\n{text}\n`. */
const original = [
  "",
  "user",
  "=".repeat(40),
  "Write a heading",
  "",
  "assistant / gpt-4o",
  "=".repeat(40),
  "",
  "  Sure:",
  "",
  "Title",
  "=====",
  "```md",
  "user",
  "====",
  "```",
  "",
  "# assistant of mine",
  "",
  ""
].join("\n")
const originalTexts = [
  "User: Write a heading",
  "Assistant (gpt-4o):   Sure:\n\nTitle\n=====\n```md\nuser\n====\n```\n\n# assistant of mine"
]

/** What the original can write and read again: it loses what reads as a heading, an open fence, and blank lines around. */
const Section = Schema.Struct({
  role: Schema.Literals(["user", "system", "assistant"]),
  model: Schema.Literals(["", "gpt-4o", "org/model_x*"]),
  words: Schema.Array(
    Schema.Literals(["word", " ", "\n", "\n\n", "*", "_", "`a", "  ", "[x](y)", "\\", "<b>", "é🚀", "- item\n", "1. "])
  ).pipe(Schema.check(Schema.makeFilter((words) => /\S/.test(words.join("")))))
})
type Section = (typeof Section)["Type"]

describe("MarkdownHistory", () => {
  it.effect("writes a heading with role and model, then the text, as it is", () =>
    Effect.gen(function* () {
      yield* append(Message.user("Hi *there*"))
      yield* append(new Message.Assistant({ content: "Hello", model: "gpt-4o" }))
      assert.strictEqual(
        yield* read,
        `
<!-- miniagents message -->
user
========================================
Hi *there*
<!-- miniagents end -->

<!-- miniagents message -->
assistant / gpt-4o
========================================
Hello
<!-- miniagents end -->
`
      )
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("writes each token as it comes", () =>
    Effect.gen(function* () {
      const history = yield* open()
      const latch = yield* Latch.make()
      const written = yield* Latch.make()
      const tokens = Stream.make("one ").pipe(
        Stream.concat(Stream.fromEffect(Effect.as(Effect.andThen(written.open, latch.await), "two")))
      )
      const promise = yield* MessagePromise.fromStream(tokens)
      const fiber = yield* Effect.forkChild(history.append(promise))
      yield* written.await
      let text = yield* read
      while (!text.endsWith("one ")) {
        yield* Effect.yieldNow
        text = yield* read
      }
      yield* latch.open
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(texts(yield* history.messages), ["Text: one two"])
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("reads what the original wrote, and continues it", () =>
    Effect.gen(function* () {
      yield* write(original)
      assert.deepStrictEqual(texts(yield* load), originalTexts)
      yield* append(Message.user("more"))
      assert.deepStrictEqual(texts(yield* load), [...originalTexts, "User: more"])
      assert.isTrue((yield* read).startsWith(original))
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect(
    "reads sections that were added by hand, also while it is open, also with CRLF and without a last newline",
    () =>
      Effect.gen(function* () {
        const history = yield* open()
        yield* history.append(MessagePromise.of(Message.user("one")))
        assert.deepStrictEqual(texts(yield* history.messages), ["User: one"])
        yield* write(`${yield* read}\r\n# Assistant\r\n\r\ntwo\r\nlines`)
        assert.deepStrictEqual(texts(yield* history.messages), ["User: one", "Assistant: two\nlines"])
        yield* history.append(MessagePromise.of(Message.user("three")))
        assert.deepStrictEqual(texts(yield* history.messages), ["User: one", "Assistant: two\nlines", "User: three"])
      }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("gives back messages of the classes it is told", () =>
    Effect.gen(function* () {
      const note = new Note({ title: "-->", on: Message.text("x") })
      const history = yield* open({ classes: [Note] })
      yield* history.append(MessagePromise.of(note))
      assert.match(yield* read, /\n<!-- miniagents end [^>]* -->\n$/) // no end of the comment inside of it
      assert.deepStrictEqual([...(yield* history.messages)], [note])
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("keeps what others wrote of classes that it does not know", () =>
    Effect.gen(function* () {
      const note = new Note({ title: "x", on: Message.text("y") })
      const keep = (classes: ReadonlyArray<Message.AnyClass>, message: Message.Message) =>
        Effect.scoped(Effect.flatMap(open({ classes }), (history) => history.append(MessagePromise.of(message))))
      yield* keep([Note], note)
      const [kept] = yield* load
      assert.deepStrictEqual([kept?._tag, kept?.hashKey], ["Note", note.hashKey])
      yield* keep([], kept!)
      const again = yield* Effect.scoped(Effect.flatMap(open({ classes: [Note] }), (history) => history.messages))
      assert.deepStrictEqual([...again], [note, note])
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  const note = new Note({ title: "x", on: Message.text("y") })
  it.effect.each<[string, (text: string) => string | Uint8Array, RegExp]>([
    [
      "fields of another type",
      (text) => text.replace('"title":"x"', '"title":1'),
      /: line 9: the fields of a message are not those of its class `Note` .*title/s
    ],
    ["a comment that is no JSON", (text) => text.replace('{"_tag', "{_tag"), /: line 9: .* no JSON object: \{_tag/],
    ["a comment that is no object", (text) => text.replace(/(end )\{.*\}/, "$11"), /: line 9: .* no JSON object: 1/],
    [
      "a role that is none",
      (text) => text.replace("assistant\n====", "robot\n===="),
      /: line 9: a message without a heading that names a role/
    ],
    [
      "no heading",
      (text) => text.replace(`assistant\n${"=".repeat(40)}\n`, ""),
      /: line 9: a message without a heading/
    ],
    [
      "bytes that are no text",
      (text) => {
        const bytes = new TextEncoder().encode(text)
        bytes[text.indexOf("```json")] = 0xff
        return bytes
      },
      /: line 9: a message that is not UTF-8/
    ]
  ])("names the file and the line where it is damaged: %s", ([, damage, message]) =>
    Effect.gen(function* () {
      const classes = [Note]
      yield* append(Message.user("before"))
      yield* Effect.scoped(
        Effect.flatMap(open({ classes: [Note] }), (history) => history.append(MessagePromise.of(note)))
      )
      yield* append(Message.user("after"))
      yield* write(damage(yield* read))
      const error = yield* Effect.flip(Effect.scoped(Effect.flatMap(open({ classes }), (history) => history.messages)))
      assert.isTrue(error.message.startsWith(`Could not read the history \`${yield* inFolder}\`: line`), error.message)
      assert.match(error.message, message)
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect.prop(
    "reads a file however it comes in pieces",
    {
      turns: Schema.Array(
        Schema.Literals(["one", "zwölf 日本 🦀", "a\n\n```\nb", "<!-- miniagents end -->", ""])
      ).check(Schema.isMaxLength(3)),
      size: Size
    },
    ({ size, turns }) =>
      Effect.gen(function* () {
        yield* write("\ufeffuser\n====\nby hand\n")
        const messages = turns.map((text, i) =>
          i % 2 === 0 ? Message.user(text) : new Message.Assistant({ content: text, agent: "A" })
        )
        yield* Effect.scoped(
          Effect.flatMap(open(), (history) =>
            Effect.forEach(messages, (message) => history.append(MessagePromise.of(message)))
          )
        )
        const fs = yield* FileSystem.FileSystem
        const inPieces = { ...fs, stream: (path: string) => Stream.rechunk(fs.stream(path, { chunkSize: size }), 1) }
        const again = yield* Effect.scoped(Effect.flatMap(open(), (history) => history.messages)).pipe(
          Effect.provideService(FileSystem.FileSystem, inPieces as FileSystem.FileSystem)
        )
        assert.deepStrictEqual([...again], [Message.user("by hand"), ...messages])
      }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()])),
    30_000
  )

  it.effect("with `append: false` it begins anew when it is opened", () =>
    Effect.gen(function* () {
      yield* append(Message.user("before"))
      const history = yield* open({ append: false })
      yield* history.append(MessagePromise.of(Message.user("after")))
      yield* history.append(MessagePromise.of(Message.user("that")))
      assert.deepStrictEqual(texts(yield* history.messages), ["User: after", "User: that"])
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("a write goes on to its end when who waits for it is interrupted in the middle", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const [half, go] = [yield* Latch.make(), yield* Latch.make()]
      let writes = 0
      const slow = (file: FileSystem.File): FileSystem.File => ({
        ...file,
        stat: file.stat,
        writeAll: (bytes) =>
          ++writes === 2 // the first text, behind the heading
            ? Effect.gen(function* () {
                yield* file.writeAll(bytes.subarray(0, 3))
                yield* half.open
                yield* go.await
                yield* file.writeAll(bytes.subarray(3))
              })
            : file.writeAll(bytes)
      })
      const history = yield* Effect.provideService(open(), FileSystem.FileSystem, {
        ...fs,
        open: (path: string, options?: object) => Effect.map(fs.open(path, options), slow)
      } as FileSystem.FileSystem)
      const fiber = yield* Effect.forkChild(history.append(MessagePromise.of(Message.user("日本語"))))
      yield* half.await
      const interrupted = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* go.open
      yield* Fiber.join(interrupted)
      assert.isTrue((yield* read).endsWith("\n日本語")) // whole characters, and no end
      yield* history.append(MessagePromise.of(Message.user("after")))
      assert.deepStrictEqual(texts(yield* history.messages), ["User: after"])
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect.each<[string, string]>([
    ["ENOSPC", "no space is left on the device"],
    ["EROFS", "the file system is read-only"],
    ["EIO", "the device failed to read or write"],
    ["EDQUOT", "the quota of the disk is used up"]
  ])("says in words what the system refused (%s), and where", ([code, words]) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const cause = Object.assign(new Error(code), { code })
      const error = systemError({ _tag: "Unknown", module: "FileSystem", method: "write", pathOrDescriptor: 3, cause })
      const full = (file: FileSystem.File): FileSystem.File => ({
        ...file,
        stat: file.stat,
        writeAll: () => Effect.fail(error)
      })
      const history = yield* Effect.provideService(open(), FileSystem.FileSystem, {
        ...fs,
        open: (path: string, options?: object) => Effect.map(fs.open(path, options), full)
      } as FileSystem.FileSystem)
      const refused = yield* Effect.flip(history.append(MessagePromise.of(Message.user("x"))))
      const file = yield* inFolder
      assert.strictEqual(refused.message, `Could not append to the history \`${file}\`: ${words} (\`${file}\`)`)
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect.each<[string, string, string]>([
    ["x".repeat(300), "the name is too long", "x".repeat(300)],
    ["chats", "it is a folder", "chats"],
    ["file/CHAT.md", "something of that name is there already", "file"],
    ["file/in/CHAT.md", "a part of the path is no folder", "file"]
  ])("says in words why it cannot be opened, and where (%#)", ([name, words, path]) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* Folder
      yield* fs.makeDirectory(`${folder}/chats`)
      yield* fs.writeFileString(`${folder}/file`, "")
      const error = yield* Effect.flip(MarkdownHistory.makeHistory({ file: `${folder}/${name}` }))
      assert.isTrue(
        error.message.startsWith(`Could not open the history \`${folder}/${name}\`: ${words} (\`${folder}/${path}`),
        error.message
      )
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect(
    "a file that was cut off at any byte loses the message that was not finished, and can be continued",
    () =>
      Effect.gen(function* () {
        yield* write(original)
        const messages = [
          Message.user("```\nopen fence 🚀"),
          new Message.Assistant({ content: "user\n====\n<!-- miniagents end -->\r\n", model: "m", agent: "A" }),
          Message.text("")
        ]
        const ends = [new TextEncoder().encode(original).length]
        for (const message of messages) {
          yield* append(message)
          ends.push(new TextEncoder().encode(yield* read).length)
        }
        const bytes = new TextEncoder().encode(yield* read)
        const all = [...originalTexts, ...texts(messages)]
        // around the end of each message at any byte, elsewhere at every third
        const goesOn = (length: number) => length % 3 === 0 || ends.some((end) => Math.abs(end - length) < 4)
        for (let length = ends[0]!; length <= bytes.length; length++) {
          // the last newline of a message is not needed
          const whole = ends.slice(1).filter((end) => end <= length + 1).length
          const expected = all.slice(0, originalTexts.length + whole)
          yield* write(bytes.slice(0, length))
          yield* Effect.scoped(
            Effect.gen(function* () {
              const history = yield* open()
              assert.deepStrictEqual(texts(yield* history.messages), expected, `cut off at ${length}`)
              if (goesOn(length)) yield* history.append(MessagePromise.of(Message.user("after")))
            })
          )
          if (goesOn(length)) {
            assert.deepStrictEqual(texts(yield* load), [...expected, "User: after"], `continued at ${length}`)
          }
        }
      }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()])),
    90_000
  )

  it.effect("a second one on the same file is refused with a sentence, until the first is closed", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* open()
          const error = yield* Effect.flip(Effect.scoped(open()))
          const file = yield* inFolder
          assert.strictEqual(
            error.message,
            `Could not open the history \`${file}\`: Process ${process.pid} has \`${file}\` open: end it first, or, if it no longer runs, remove \`${file}.lock\``
          )
        })
      )
      yield* Effect.scoped(open())
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("a second one that comes by a link is refused, too", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const link = `${yield* Folder}/LINK.md`
      yield* append(Message.user("one"))
      yield* fs.symlink(yield* inFolder, link)
      yield* open()
      const error = yield* Effect.flip(MarkdownHistory.makeHistory({ file: link }))
      assert.include(error.message, `Could not open the history \`${link}\`: Process ${process.pid} has`)
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("says which folder it cannot make", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* Folder
      yield* fs.writeFileString(`${folder}/chats`, "a file")
      const error = yield* Effect.flip(open())
      assert.match(error.message, /^Could not open the history `.*CHAT\.md`: .*chats/)
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("follows its file when an editor puts a new one in its place, also while a message is written", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* inFolder
      /** As most editors save: a new file, renamed. */
      const save = (text: string) =>
        Effect.andThen(fs.writeFileString(`${file}.new`, text), fs.rename(`${file}.new`, file))
      const history = yield* open()
      yield* history.append(MessagePromise.of(Message.user("teh")))
      assert.deepStrictEqual(texts(yield* history.messages), ["User: teh"])
      yield* save((yield* read).replace("teh", "the"))
      assert.deepStrictEqual(texts(yield* history.messages), ["User: the"])
      yield* history.append(MessagePromise.of(Message.user("one")))
      const [begun, saved] = [yield* Latch.make(), yield* Latch.make()]
      const tokens = Stream.concat(
        Stream.make("two "),
        Stream.fromEffect(Effect.as(Effect.andThen(begun.open, saved.await), "words"))
      )
      const fiber = yield* Effect.forkChild(history.append(yield* MessagePromise.fromStream(tokens)))
      yield* begun.await
      while (!(yield* read).endsWith("two ")) yield* Effect.yieldNow
      yield* save((yield* read).replace("one", "1"))
      yield* saved.open
      yield* Fiber.join(fiber)
      const expected = ["User: the", "User: 1", "Text: two words"]
      assert.deepStrictEqual(texts(yield* history.messages), expected)
      yield* fs.writeFileString(file, (yield* read).replace("words", "WORDS")) // in its place, of the same size
      yield* fs.utimes(file, 0, 0)
      assert.deepStrictEqual(texts(yield* history.messages), ["User: the", "User: 1", "Text: two WORDS"])
      yield* fs.remove(file)
      yield* history.append(MessagePromise.of(Message.user("anew")))
      assert.deepStrictEqual(texts(yield* history.messages), ["User: anew"])
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("gives back what the file says, also of a message that another hand wrote into", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const history = yield* open()
      assert.deepStrictEqual(texts(yield* history.messages), [])
      const [begun, written] = [yield* Latch.make(), yield* Latch.make()]
      const tokens = Stream.concat(
        Stream.make("two "),
        Stream.fromEffect(Effect.as(Effect.andThen(begun.open, written.await), "words"))
      )
      const fiber = yield* Effect.forkChild(history.append(yield* MessagePromise.fromStream(tokens)))
      yield* begun.await
      while (!(yield* read).endsWith("two ")) yield* Effect.yieldNow
      yield* fs.writeFileString(yield* inFolder, "and ", { flag: "a" })
      yield* written.open
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(texts(yield* history.messages), ["Text: two and words"])
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("reads a file whose line ends were made CRLF since", () =>
    Effect.gen(function* () {
      const note = new Message.Assistant({ content: "two\n\nlines\n", model: "m", agent: "A" })
      yield* append(Message.user("one\n<!-- miniagents end -->"))
      yield* append(note)
      yield* write((yield* read).replaceAll("\n", "\r\n"))
      assert.deepStrictEqual([...(yield* load)], [Message.user("one\n<!-- miniagents end -->"), note])
      yield* append(Message.user("kept\r\n"))
      assert.deepStrictEqual((yield* load).at(-1), Message.user("kept\r\n"))
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect.each(["\ud83d", "a b", "", "`x` / *y*", "a\\", "&amp;", "<b>", "[x]: y", "#", "\u0000", "\u200b"])(
    "keeps the model %j",
    (model) =>
      Effect.gen(function* () {
        const message = new Message.Assistant({ content: "x", model })
        yield* append(message)
        assert.deepStrictEqual([...(yield* load)], [message])
      }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect.prop(
    "reads what the original wrote as the original does",
    { sections: Schema.Array(Section) },
    ({ sections }) =>
      Effect.gen(function* () {
        const heading = ({ model, role }: Section) => `${role}${model === "" ? "" : ` / ${model}`}`
        const written = sections.map((section) => {
          const text = section.words.join("")
          return `\n${heading(section)}\n${"=".repeat(40)}\n${text}\n`
        })
        yield* write(written.join(""))
        const expected = sections.map((section) => {
          const lines = section.words.join("").split("\n")
          while (lines[0]?.trim() === "") lines.shift()
          while (lines.at(-1)?.trim() === "") lines.pop()
          const content = lines.join("\n")
          if (section.role === "user") return Message.user(content)
          if (section.role === "system") return Message.system(content)
          return new Message.Assistant(section.model === "" ? { content } : { content, model: section.model })
        })
        assert.deepStrictEqual([...(yield* load)], expected)
      }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect.each(["*a_", "[", "<a ", "\n", " \n"])("reads %j, fifty thousand times, in one go", (unit) =>
    Effect.gen(function* () {
      const text = `x${unit.repeat(50_000)}x`
      yield* append(Message.user(text))
      assert.deepStrictEqual([...(yield* load)], [Message.user(text)])
      yield* write(`user\n====\n${text}\n`)
      assert.deepStrictEqual([...(yield* load)], [Message.user(text)])
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("ten thousand lines of fences and headings are read in one go", () =>
    Effect.gen(function* () {
      const text = "user\n====\n\n```\n\\<!-- miniagents end -->\n".repeat(2_000)
      yield* append(Message.user(text))
      assert.deepStrictEqual(texts(yield* load), [`User: ${text}`])
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("is read in pieces of less than a megabyte, so that others go on meanwhile", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      yield* append(Message.user("x"))
      const sizes: Array<number | undefined> = []
      const watched: FileSystem.FileSystem = {
        ...fs,
        readFile: () => Effect.die("all of it at once"),
        readFileString: (path, encoding) =>
          path.endsWith(".md") ? Effect.die("all of it at once") : fs.readFileString(path, encoding),
        stream: (path, options) => {
          sizes.push(options?.chunkSize)
          return fs.stream(path, options)
        }
      }
      const messages = yield* Effect.provideService(load, FileSystem.FileSystem, watched)
      assert.deepStrictEqual(texts(messages), ["User: x"])
      assert.isTrue(sizes.length === 1 && (sizes[0] ?? Number.POSITIVE_INFINITY) < 1_000_000)
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )
})
