/** A process that is killed while it writes loses at most the message that was not finished. */

import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { Effect, FileSystem, Random } from "effect"
import { MiniAgents } from "miniagents"
import { MarkdownHistory } from "miniagents/history"
import { Folder } from "../agents/Folder.ts"
import { tokensOf } from "./MarkdownHistory.child.ts"

const seed = Number(process.env["SEED"] ?? 20_240_607)

const program = fileURLToPath(new URL("MarkdownHistory.child.ts", import.meta.url))

/** Runs the program until it is killed, and gives the numbers of the messages that it said are kept. */
const runUntilKilled = (file: string, first: number, bytes: number) =>
  Effect.sync(() => {
    const args = ["--conditions=miniagents-source", "--no-warnings", program, file, `${first}`, `${bytes}`]
    const { signal, stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" })
    assert.strictEqual(signal, "SIGKILL", stderr)
    return stdout.split("\n").length - 1
  })

it.live(
  "while a process has the file open, another one is refused with a sentence that names it",
  () =>
    Effect.gen(function* () {
      const file = `${yield* Folder}/CHAT.md`
      const args = ["--conditions=miniagents-source", "--no-warnings", program, file, "0", "Infinity"]
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      yield* Effect.promise(() => once(child.stdout, "data")) // it keeps messages now
      const error = yield* Effect.flip(MarkdownHistory.makeHistory({ file }))
      assert.include(error.message, `Could not open the history \`${file}\`: Process ${child.pid} has \`${file}\` open`)
    }).pipe(Effect.scoped, Effect.provide(Folder.layer)),
  60_000
)

it.live(
  `a process killed at random bytes, again and again, loses no finished message (SEED=${seed})`,
  () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = `${yield* Folder}/CHAT.md`
      let kept = 0
      for (let run = 0; run < 8; run++) {
        const said = kept + (yield* runUntilKilled(file, kept, yield* Random.nextIntBetween(1, 1_000)))
        assert.isTrue(yield* fs.exists(`${file}.lock`)) // the dead process has left its lock: the next one takes it over
        const history = yield* MarkdownHistory.makeHistory({ file }).pipe(
          Effect.flatMap((history) => history.messages),
          Effect.scoped
        )
        const messages = history.map(String)
        assert.isAtLeast(messages.length, said)
        assert.isAtMost(messages.length, said + 1)
        assert.deepStrictEqual(
          messages,
          messages.map((_, number) => tokensOf(number).join(""))
        )
        kept = messages.length
      }
      assert.isAbove(kept, 0)
    }).pipe(Random.withSeed(seed), Effect.provide([Folder.layer, MiniAgents.layer()])),
  60_000
)
