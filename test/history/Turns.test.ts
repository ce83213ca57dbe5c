/** Turns: one after the other in a conversation, in a process and on a machine. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import { Turns } from "miniagents/history"
import { SqliteClient } from "miniagents/sqlite"
import { Folder } from "../agents/Folder.ts"
import { processes, suite } from "./Turns.contract.ts"

suite("in memory", { layer: Turns.layerMemory, own: Layer.empty })
suite("by files", {
  layer: Layer.unwrap(Effect.map(Folder, (folder) => Turns.layerFile({ folder: `${folder}/turns` }))),
  own: Folder.layer
})

suite("by SQLite", {
  layer: Layer.unwrap(
    Effect.map(Folder, (folder) =>
      Layer.orDie(Turns.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: `${folder}/turns.db` }))))
    )
  ),
  own: Folder.layer
})

describe("turns by files", () => {
  it.effect.each(["", "..", "a/b", "\u0000", "C:\\x*?", "ü".repeat(300), "\ud83d", "support/42"])(
    "takes the turn of the conversation %j, and leaves nothing behind",
    (conversation) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = `${yield* Folder}/turns`
        const look = Turns.withTurn(conversation)(fs.readDirectory(folder))
        assert.strictEqual((yield* Effect.provide(look, Turns.layerFile({ folder }))).length, 1)
        assert.deepStrictEqual(yield* fs.readDirectory(folder), [])
      }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("says why it cannot take one, and where", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* Folder
      yield* fs.writeFileString(`${folder}/file`, "")
      const take = Effect.provide(Turns.withTurn("c")(Effect.void), Turns.layerFile({ folder: `${folder}/file/turns` }))
      const error = yield* Effect.flip(take)
      const reason = `a part of the path is no folder (\`${folder}/file/turns\`)`
      assert.strictEqual(error.message, `Could not take the turn of the conversation \`c\`: ${reason}`)
    }).pipe(Effect.provide(Folder.layer))
  )

  it.live(
    "processes take turns, also after one that was killed in its own",
    () =>
      Effect.gen(function* () {
        const folder = yield* Folder
        yield* processes(folder, `${folder}/turns`, 20)
      }).pipe(Effect.scoped, Effect.provide(Folder.layer)),
    60_000
  )
})
