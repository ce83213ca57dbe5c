/** Processes that use one store. */

import { type ChildProcess, spawn } from "node:child_process"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Conversation, Store } from "miniagents/store"
import * as Kept from "../Kept.ts"

/** Runs the program to its end, and gives how many lines it wrote; `watch` may kill it. */
export const run = (
  args: ReadonlyArray<string | number>,
  watch: (child: ChildProcess, said: number) => void = () => {}
) =>
  Effect.flatMap(
    Effect.promise(() => Kept.inOnePiece("test/store/Store.child.ts")),
    (program) =>
      Effect.callback<{ readonly said: number; readonly ended: string }>((resume) => {
        const child = spawn(process.execPath, ["--no-warnings", program, ...args.map(String)], {
          stdio: ["ignore", "pipe", "pipe"]
        })
        let [said, errors] = [0, ""]
        child.stdout.on("data", (data) => watch(child, (said += String(data).split("\n").length - 1)))
        child.stderr.on("data", (data) => (errors += String(data)))
        child.on("close", (code, signal) => resume(Effect.succeed({ said, ended: signal ?? `${code}${errors}` })))
        return Effect.sync(() => child.kill("SIGKILL"))
      })
  )

const END = 60

/** Two processes that append to one conversation, and fork, and one that collects; then looks at what is there. */
export const together = (database: string, tablePrefix?: string) =>
  Effect.gen(function* () {
    const all = ["a", "b", "collect"].map((who) =>
      run([database, who, 0, END, "Infinity", ...(tablePrefix === undefined ? [] : [tablePrefix])])
    )
    assert.deepStrictEqual(
      yield* Effect.all(all, { concurrency: "unbounded" }),
      all.map(() => ({ said: END, ended: "0" }))
    )
    assert.deepStrictEqual((yield* Store.verify).damaged, [])
    const messages = (yield* Conversation.messages("all")).map(String)
    for (const who of ["a", "b"]) {
      assert.deepStrictEqual(
        messages.filter((message) => message.startsWith(who)),
        Array.from({ length: END }, (_, i) => `${who} ${i}`)
      )
    }
    for (const { length, name } of yield* Conversation.list()) {
      assert.strictEqual((yield* Conversation.messages(name)).length, length)
    }
  })
