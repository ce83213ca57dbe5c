/** A program that the tests of `SqlHistory` run: it keeps numbered messages until it is killed, or has kept enough. */

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Stream } from "effect"
import { Statement } from "effect/sql"
import { MessagePromise, MiniAgents } from "miniagents"
import { SqlHistory } from "miniagents/history"
import { SqliteClient } from "miniagents/sqlite"

/** The tokens of a message: who said it and its number, then more of them. */
export const tokensOf = (who: string, number: number): ReadonlyArray<string> => [
  `${who} ${number}`,
  ...Array.from({ length: number % 20 }, (_, i) => ` word ${i}`)
]

const [filename = "", who = "", first = "0", end = "Infinity", statements = "Infinity"] = process.argv.slice(2)

let left = Number(statements)
/** Kills this process before a statement. */
const deadly: Statement.Transformer = (statement) =>
  Effect.sync(() => {
    if (left-- === 0) process.kill(process.pid, "SIGKILL")
    return statement
  })

const program = Effect.gen(function* () {
  const history = yield* SqlHistory.makeHistory({ conversation: "one" })
  for (let number = Number(first); number < Number(end); number++) {
    const tokens = Stream.rechunk(Stream.fromIterable(tokensOf(who, number)), 1)
    yield* history.append(yield* MessagePromise.fromStream(tokens, { known: { _tag: "User" } }))
    // whoever reads this knows that the message is kept
    yield* Effect.sync(() => process.stdout.write(`${number}\n`))
  }
})

if (filename !== "") {
  NodeRuntime.runMain(
    program.pipe(
      Effect.provideService(Statement.CurrentTransformer, deadly),
      Effect.provide([SqliteClient.layer({ filename }), MiniAgents.layer()])
    )
  )
}
