/** The history in a Markdown file. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Latch, Schema, Stream } from "effect"
import { Message, MessagePromise, MiniAgents } from "miniagents"
import { MarkdownHistory } from "miniagents/history"
import { Folder } from "../agents/Folder.ts"
import { suite } from "./History.contract.ts"

class Note extends Message.Class<Note>()("Note", { title: Schema.String, on: Message.Text }) {}

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

const fresh = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  yield* fs.remove(yield* inFolder, { force: true })
  return yield* open()
}).pipe(Effect.catchTag("PlatformError", Effect.die))

suite("Markdown", { make: fresh, layer: Folder.layer, reopen: open() })

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

  it.effect("gives back messages of the classes it is told, and of others role and text", () =>
    Effect.gen(function* () {
      const note = new Note({ title: "-->", on: Message.text("x") })
      yield* append(note)
      const known = yield* Effect.scoped(Effect.flatMap(open({ classes: [Note] }), (history) => history.messages))
      assert.deepStrictEqual([...known], [note])
      assert.deepStrictEqual(yield* load, [Message.assistant(String(note))])
      assert.match(yield* read, /\n<!-- miniagents end [^>]* -->\n$/) // no end of the comment inside of it
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
        for (let length = ends[0]!; length <= bytes.length; length++) {
          // the last newline of a message is not needed
          const whole = ends.slice(1).filter((end) => end <= length + 1).length
          const expected = all.slice(0, originalTexts.length + whole)
          yield* write(bytes.slice(0, length))
          yield* Effect.scoped(
            Effect.gen(function* () {
              const history = yield* open()
              assert.deepStrictEqual(texts(yield* history.messages), expected, `cut off at ${length}`)
              yield* history.append(MessagePromise.of(Message.user("after")))
            })
          )
          assert.deepStrictEqual(texts(yield* load), [...expected, "User: after"], `continued at ${length}`)
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
})
