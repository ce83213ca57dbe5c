/** Locks: one process at a time. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { FileLock } from "miniagents/history"
import { Folder } from "../agents/Folder.ts"

const file = Effect.map(Folder, (folder) => `${folder}/file`)
const acquire = Effect.flatMap(file, FileLock.acquire)
const readLock = Effect.flatMap(file, (file) => FileSystem.FileSystem.use((fs) => fs.readFileString(`${file}.lock`)))
const writeLock = (text: string) =>
  Effect.flatMap(file, (file) => FileSystem.FileSystem.use((fs) => fs.writeFileString(`${file}.lock`, text)))
const owner = Effect.map(readLock, (text) => JSON.parse(text) as { pid: number; started: string; host: string })
const refused = Effect.map(Effect.flip(acquire), (error) => error.message)

describe("FileLock", () => {
  it.effect("names its process while the scope is open, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* acquire
          assert.strictEqual((yield* owner).pid, process.pid)
          assert.deepStrictEqual(yield* fs.readDirectory(yield* Folder), ["file.lock"])
        })
      )
      assert.deepStrictEqual(yield* fs.readDirectory(yield* Folder), [])
    }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("is refused while it is held, by whoever runs", () =>
    Effect.gen(function* () {
      yield* acquire
      assert.include(yield* refused, `Process ${process.pid} has`)
      assert.include(yield* refused, "end it first, or, if it no longer runs, remove")
      // of many that try, none gets in
      const exits = yield* Effect.all(
        Array.from({ length: 20 }, () => Effect.exit(Effect.scoped(acquire))),
        {
          concurrency: "unbounded"
        }
      )
      assert.isTrue(exits.every((exit) => exit._tag === "Failure"))
    }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("of many that try at once one gets it", () =>
    Effect.gen(function* () {
      const exits = yield* Effect.all(
        Array.from({ length: 20 }, () => Effect.exit(acquire)),
        {
          concurrency: "unbounded"
        }
      )
      assert.strictEqual(exits.filter((exit) => exit._tag === "Success").length, 1)
    }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("is taken over from a process that no longer runs", () =>
    Effect.gen(function* () {
      yield* acquire
      const other = (runs: boolean) =>
        Effect.provideService(acquire, FileLock.CurrentProcess, { pid: 1, isRunning: () => Effect.succeed(runs) })
      assert.include(String(yield* Effect.flip(other(true))), `Process ${process.pid} has`)
      yield* other(false)
      assert.strictEqual((yield* owner).pid, 1)
      yield* writeLock(JSON.stringify({ ...(yield* owner), pid: 2 ** 22 + 1 }))
      yield* acquire
      assert.strictEqual((yield* owner).pid, process.pid)
    }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("is taken over when its id belongs to another process now", () =>
    Effect.gen(function* () {
      yield* acquire
      yield* writeLock(JSON.stringify({ ...(yield* owner), started: "1" }))
      yield* acquire
      assert.notStrictEqual((yield* owner).started, "1")
    }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("that someone else has taken meanwhile is left to them when the scope closes", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const theirs = JSON.stringify({ pid: 1, started: "2", host: "elsewhere" })
      yield* Effect.scoped(Effect.andThen(acquire, writeLock(theirs)))
      assert.strictEqual(yield* readLock, theirs)
      yield* fs.remove(`${yield* file}.lock`)
      // one that was removed by hand: there is nothing to give back, and nothing to complain about
      yield* Effect.scoped(Effect.andThen(acquire, fs.remove(`${yield* file}.lock`)))
      assert.deepStrictEqual(yield* fs.readDirectory(yield* Folder), [])
    }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("that someone else takes over first is theirs", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const stale = JSON.stringify({ ...(yield* Effect.scoped(Effect.andThen(acquire, owner))), started: "1" })
      const theirs = JSON.stringify({ pid: process.pid, started: "2", host: "elsewhere" })
      yield* writeLock(stale)
      /** They take it between our look at it and our removing it. */
      const late: FileSystem.FileSystem = {
        ...fs,
        rename: (from, to) => Effect.andThen(fs.writeFileString(from, theirs), fs.rename(from, to))
      }
      const error = yield* Effect.flip(Effect.provideService(acquire, FileSystem.FileSystem, late))
      assert.strictEqual(error._tag, "Locked")
      assert.strictEqual(yield* readLock, theirs)
      assert.deepStrictEqual(yield* fs.readDirectory(yield* Folder), ["file.lock"])
    }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("is given back however its scope closes", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      for (const end of [Effect.fail("no"), Effect.die("oops"), Effect.interrupt]) {
        yield* Effect.exit(Effect.scoped(Effect.andThen(acquire, end)))
        assert.deepStrictEqual(yield* fs.readDirectory(yield* Folder), [])
      }
    }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("is never taken over from another machine, nor from what cannot be read", () =>
    Effect.gen(function* () {
      yield* acquire
      yield* writeLock(JSON.stringify({ ...(yield* owner), pid: 2 ** 22 + 1, host: "elsewhere" }))
      assert.include(yield* refused, `Process ${2 ** 22 + 1} on elsewhere has`)
      yield* writeLock("")
      assert.include(yield* refused, "A process has")
    }).pipe(Effect.provide(Folder.layer))
  )
})
