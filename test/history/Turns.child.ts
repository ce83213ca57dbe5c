/** A program that the test of `Turns` runs: it takes turns and writes down when each begins and ends. */

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { PgClient } from "@effect/sql-pg"
import { Effect, FileSystem, Layer } from "effect"
import { Turns } from "miniagents/history"

const [folder = "", place = "", name = "", count = "0"] = process.argv.slice(2)

const note = (text: string) =>
  FileSystem.FileSystem.use((fs) => fs.writeFileString(`${folder}/notes`, `${text}\n`, { flag: "a" }))

const read = FileSystem.FileSystem.use((fs) => fs.readFileString(`${folder}/notes`))

const program = Effect.gen(function* () {
  for (let number = 0; number < Number(count); number++) {
    const work = Effect.repeat(read, { times: 50 })
    const turn = Effect.all([note(`begin ${name} ${number}`), work, note(`end ${name} ${number}`)], { discard: true })
    yield* Turns.withTurn("one")(turn)
  }
  // the last one is killed in its turn
  yield* Effect.sync(() => process.kill(process.pid, "SIGKILL")).pipe(Turns.withTurn("one"))
})

/** A folder of lock files, or how to reach a Postgres as JSON. */
const turns = place.startsWith("{")
  ? Layer.orDie(Layer.provide(Turns.layerSql({ lease: "1 second" }), PgClient.layer(JSON.parse(place) as object)))
  : Turns.layerFile({ folder: place })

if (folder !== "") {
  NodeRuntime.runMain(program.pipe(Effect.provide(Layer.provideMerge(turns, NodeServices.layer))))
}
