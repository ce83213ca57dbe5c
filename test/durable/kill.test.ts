/** kill -9, again and again, at any moment, with real processes and a model that is asked over HTTP and counts. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Bundle from "../../bench/durable/bundle.ts"
import * as Trial from "../../bench/durable/Trial.ts"
import * as Postgres from "../history/Postgres.ts"

let folder: string
let command: ReadonlyArray<string>
let server: Postgres.Server

describe("a run whose processes are killed", () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "miniagents-kill-"))
    ;[command, server] = await Promise.all([Bundle.command(folder), Postgres.start()])
  }, 60_000)
  afterAll(async () => {
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  it.live.each([
    { where: "SQLite", seed: 3, partial: "restart" },
    { where: "Postgres", seed: 4, partial: "continue" }
  ] as const)(
    "$where: nothing kept is asked again, and all readers read the same",
    ({ partial, seed, where }) =>
      Effect.gen(function* () {
        const database = where === "SQLite" ? join(folder, "runs.db") : (server.config as never)
        const prefix = `killed_${process.pid}_`
        const outcome = yield* Trial.run({
          seed,
          kills: 4,
          partial,
          database,
          prefix,
          command,
          tokens: 12,
          moments: 60
        })
        assert.deepStrictEqual(outcome.problems, [])
        assert.deepInclude(outcome, { askedAgain: 0, resets: 0 })
        assert.isAtLeast(outcome.kills, 2)
      }),
    60_000
  )
})
