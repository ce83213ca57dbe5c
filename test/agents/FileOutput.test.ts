/** Agents that pass on what they read: to a file, and to whatever is done with it. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, FileSystem, Schema, Sink, Stream } from "effect"
import { systemError } from "effect/PlatformError"
import { MessagePromise, MiniAgents } from "miniagents"
import { FileOutput, PassThrough } from "miniagents/agents"
import { Folder } from "./Folder.ts"

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}
const inFolder = Effect.map(Folder, (folder) => `${folder}/some/where/out.txt`)
const read = Effect.flatMap(inFolder, (file) => FileSystem.FileSystem.use((fs) => fs.readFileString(file)))

describe("FileOutput", () => {
  it.effect("passes messages on and writes their text, with a blank line between two", () =>
    Effect.gen(function* () {
      const agent = FileOutput.make({ file: yield* inFolder })
      assert.deepStrictEqual((yield* (yield* agent.trigger(["one", "two"])).messages).map(String), ["one", "two"])
      assert.strictEqual(yield* read, "one\n\ntwo")
      yield* (yield* FileOutput.make({ file: yield* inFolder, delimiter: "|" }).trigger(["x", "y"])).messages
      assert.strictEqual(yield* read, "x|y")
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("keeps characters whole whose halves come in two tokens", () =>
    Effect.gen(function* () {
      const promise = yield* MessagePromise.fromStream(Stream.rechunk(Stream.make("a\ud83d", "\ude80b", "\ud83d"), 1))
      yield* (yield* FileOutput.make({ file: yield* inFolder }).trigger(promise)).messages
      assert.strictEqual(yield* read, "a🚀b\ufffd")
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect.each([
    ["x".repeat(300), "the name is too long", "x".repeat(300)],
    ["file/out.txt", "something of that name is there already", "file"],
    ["some", "it is a folder", "some"]
  ])("says in words why it cannot write, and where (%#)", ([name, words, path]) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* Folder
      yield* fs.makeDirectory(`${folder}/some`)
      yield* fs.writeFileString(`${folder}/file`, "")
      const replies = yield* FileOutput.make({ file: `${folder}/${name}` }).trigger("one")
      const error = yield* Effect.flip(replies.messages)
      assert.isTrue(error.message.endsWith(`(${folder}/${path}): ${words}`), error.message)
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect.each([
    ["ENOSPC", "no space is left on the device"],
    ["EROFS", "the file system is read-only"]
  ])("says in words what the system refuses on the way (%s), and where", ([code, words]) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const cause = Object.assign(new Error(code), { code })
      const error = systemError({ _tag: "Unknown", module: "FileSystem", method: "write", pathOrDescriptor: 3, cause })
      const full: FileSystem.FileSystem = { ...fs, sink: () => Sink.fail(error) }
      const file = yield* inFolder
      const replies = yield* Effect.provideService(
        FileOutput.make({ file }).trigger("one"),
        FileSystem.FileSystem,
        full
      )
      const refused = yield* Effect.flip(replies.messages)
      assert.strictEqual(refused.message, `Unknown: FileSystem.write (${file}): ${words}`)
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("keeps what came before a failure, which is met by who reads on", () =>
    Effect.gen(function* () {
      const broken = Effect.gen(function* () {
        const promise = yield* MessagePromise.fromStream(Stream.concat(Stream.make("half"), Stream.fail(new Broken())))
        const replies = yield* FileOutput.make({ file: yield* inFolder }).trigger(["one", promise])
        assert.deepStrictEqual(yield* Effect.exit(replies.messages), Exit.fail(new Broken()))
      })
      yield* Effect.provide(broken, MiniAgents.layer()) // and waits until all of it has ended
      assert.strictEqual(yield* read, "one\n\nhalf")
    }).pipe(Effect.provide(Folder.layer))
  )
})

describe("PassThrough", () => {
  it.effect("fails with what is done with a message fails with, after the messages", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const tap = PassThrough.make("Count", (promise) =>
        Effect.flatMap(promise.message, (message) =>
          seen.push(String(message)) === 2 ? Effect.fail(new Broken()) : Effect.void
        )
      )
      const replies = yield* tap.trigger(["a", "b", "c"])
      const passed: Array<string> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(replies, (promise) =>
          Effect.map(promise.message, (message) => void passed.push(String(message)))
        )
      )
      assert.deepStrictEqual(exit, Exit.fail(new Broken()))
      assert.deepStrictEqual(passed, ["a", "b", "c"])
      assert.deepStrictEqual(seen, ["a", "b"])
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})
