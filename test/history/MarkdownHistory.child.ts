/** A program that the test of `MarkdownHistory` runs: it keeps numbered messages and is killed in the middle of a write. */

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, FileSystem, Layer, Stream } from "effect"
import { MessagePromise, MiniAgents } from "miniagents"
import { MarkdownHistory } from "miniagents/history"

/** The tokens of a message: its number first, then what Markdown could trip over. */
export const tokensOf = (number: number): ReadonlyArray<string> => [
  `${number}`,
  ...("\n```\nuser\n====\n🚀\n<!-- miniagents end -->\n".match(/[^]{1,3}/gu) ?? []),
  ...Array.from({ length: number % 20 }, (_, i) => `word ${i} `)
]

const [file = "", first = "0", bytes = "0"] = process.argv.slice(2)

let left = Number(bytes)
/** The real file system, in which this process is killed when it has written so many bytes. */
const deadly = Layer.effect(
  FileSystem.FileSystem,
  Effect.map(FileSystem.FileSystem, (fs) => {
    const wrap = (handle: FileSystem.File): FileSystem.File => ({
      ...handle,
      stat: handle.stat,
      writeAll: (chunk) =>
        left > chunk.length
          ? Effect.andThen(
              handle.writeAll(chunk),
              Effect.sync(() => void (left -= chunk.length))
            )
          : Effect.andThen(
              handle.writeAll(chunk.subarray(0, left)),
              Effect.sync(() => void process.kill(process.pid, "SIGKILL"))
            )
    })
    return { ...fs, open: (path, options) => Effect.map(fs.open(path, options), wrap) } satisfies FileSystem.FileSystem
  })
).pipe(Layer.provideMerge(NodeServices.layer))

const program = Effect.gen(function* () {
  const history = yield* MarkdownHistory.makeHistory({ file })
  for (let number = Number(first); ; number++) {
    const tokens = Stream.rechunk(Stream.fromIterable(tokensOf(number)), 1)
    const promise = yield* MessagePromise.fromStream(tokens, { known: { _tag: number % 2 === 0 ? "User" : "Text" } })
    yield* history.append(promise)
    // whoever reads this knows that the message is kept
    yield* Effect.sync(() => process.stdout.write(`${number}\n`))
  }
})

if (file !== "") {
  NodeRuntime.runMain(Effect.scoped(program).pipe(Effect.provide([deadly, MiniAgents.layer()])))
}
