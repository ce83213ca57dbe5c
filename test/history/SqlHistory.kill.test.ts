/** Processes that write to one SQLite file: one that is killed again and again, and two at once. */

import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { SqlClient } from "effect/sql"
import { SqlHistory } from "miniagents/history"
import { SqliteClient } from "miniagents/sqlite"
import { Folder } from "../agents/Folder.ts"
import { tokensOf } from "./SqlHistory.child.ts"

const seed = Number(process.env["SEED"] ?? 20_240_607)

const program = fileURLToPath(new URL("SqlHistory.child.ts", import.meta.url))

/** Runs the program to its end, and gives the numbers of the messages that it said are kept; `watch` may kill it. */
const run = (args: ReadonlyArray<string | number>, watch: (child: ChildProcess, said: number) => void = () => {}) =>
  Effect.callback<{ readonly said: number; readonly ended: string }>((resume) => {
    const options = ["--conditions=miniagents-source", "--no-warnings", program, ...args.map(String)]
    const child = spawn(process.execPath, options, { stdio: ["ignore", "pipe", "pipe"] })
    let [said, errors] = [0, ""]
    child.stdout.on("data", (data) => watch(child, (said += String(data).split("\n").length - 1)))
    child.stderr.on("data", (data) => (errors += String(data)))
    child.on("close", (code, signal) => resume(Effect.succeed({ said, ended: signal ?? `${code}${errors}` })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const load = (filename: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    assert.deepStrictEqual(yield* sql`PRAGMA integrity_check`.values, [["ok"]])
    assert.deepStrictEqual(yield* sql`PRAGMA foreign_key_check`.values, [])
    const history = yield* SqlHistory.makeHistory({ conversation: "one" })
    const messages = (yield* history.messages).map(String)
    assert.strictEqual((yield* history.branches)[0]?.length, messages.length)
    return messages
  }).pipe(Effect.provide(SqliteClient.layer({ filename })))

it.live(
  `a process killed at random moments, again and again, loses no finished message (SEED=${seed})`,
  () =>
    Effect.gen(function* () {
      const filename = `${yield* Folder}/chats.db`
      let kept = 0
      for (let round = 0; round < 8; round++) {
        // by its own hand between two statements, or by another one, which can be in the middle of anything
        const enough = yield* Random.nextIntBetween(1, 40)
        const spins = yield* Random.nextIntBetween(0, 300_000)
        const statements = yield* Random.nextIntBetween(1, 120)
        const byItself = round % 2 === 0
        const { ended, said } = yield* run(
          [filename, "a", kept, "Infinity", byItself ? statements : "Infinity"],
          (child, said) => {
            if (byItself || said < enough) return
            for (let left = spins; left > 0; left--);
            child.kill("SIGKILL")
          }
        )
        assert.strictEqual(ended, "SIGKILL")
        const messages = yield* load(filename)
        assert.isAtLeast(messages.length, kept + said)
        assert.isAtMost(messages.length, kept + said + 1)
        assert.deepStrictEqual(
          messages,
          messages.map((_, number) => tokensOf("a", number).join(""))
        )
        kept = messages.length
      }
      assert.isAbove(kept, 8)
    }).pipe(Random.withSeed(seed), Effect.provide(Folder.layer)),
  60_000
)

it.live(
  "two processes that begin a database and append to one branch at once lose nothing",
  () =>
    Effect.gen(function* () {
      const filename = `${yield* Folder}/chats.db`
      const end = 60
      const both = Effect.forEach(["a", "b"], (who) => run([filename, who, 0, end]), { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* both, [
        { said: end, ended: "0" },
        { said: end, ended: "0" }
      ])
      const messages = yield* load(filename)
      assert.strictEqual(messages.length, 2 * end)
      for (const who of ["a", "b"]) {
        assert.deepStrictEqual(
          messages.filter((message) => message.startsWith(who)),
          Array.from({ length: end }, (_, number) => tokensOf(who, number).join(""))
        )
      }
    }).pipe(Effect.provide(Folder.layer)),
  60_000
)
