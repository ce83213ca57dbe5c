/**
 * One process at a time: a lock file beside the file, with the process that holds it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/**
 * Another process has the file, or this one has it already.
 *
 * @since 0.1.0
 * @category errors
 */
export class Locked extends Schema.TaggedError<Locked>()("Locked", {
  file: Schema.String,
  lock: Schema.String,
  owner: Schema.String
}) {
  override get message(): string {
    return `${this.owner} has \`${this.file}\` open: end it first, or, if it no longer runs, remove \`${this.lock}\``
  }
}

/**
 * The process this runs in, and whether another one on this machine runs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Process {
  readonly pid: number
  readonly isRunning: (pid: number) => Effect.Effect<boolean>
}

/**
 * The process that locks are taken for. By default that is the one the runtime (Node, Bun, Deno) reports.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentProcess: Context.Reference<Process> = Context.Reference("miniagents/FileLock/CurrentProcess", {
  defaultValue: (): Process => {
    // not imported, so that this module loads where there are no processes
    const host = (globalThis as { process?: { pid: number; kill: (pid: number, signal: 0) => unknown } }).process
    const isRunning = (pid: number) =>
      Effect.try({ try: () => host?.kill(pid, 0), catch: (error) => (error as { code?: string }).code }).pipe(
        // a process of someone else runs, too
        Effect.match({ onSuccess: () => host !== undefined, onFailure: (code) => code === "EPERM" })
      )
    return { pid: host?.pid ?? 0, isRunning }
  }
})

/**
 * Takes the lock of a file until the scope closes. A lock whose process no longer runs is taken over.
 *
 * **Details**
 *
 * The lock is `<file>.lock`, beside the file that a link leads to, and names its process by its id and, on Linux, by when it started and the host, so that an
 * id that was given to another process since is not taken for the owner.
 *
 * **Gotchas**
 *
 * It guards against the processes of one machine. A lock that was left behind on another one has to be removed by hand.
 *
 * @since 0.1.0
 * @category constructors
 */
export const acquire = (
  file: string
): Effect.Effect<void, Locked | PlatformError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const process = yield* CurrentProcess
    const linked = Effect.andThen(fs.readLink(file), fs.realPath(file)) // a link is not another file
    const lock = `${yield* Effect.orElseSucceed(linked, () => file)}.lock`
    const self = yield* identity(process.pid)
    yield* Effect.acquireRelease(take(file, lock, self), () => Effect.ignore(release(fs, lock, self)))
  })

const Owner = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int, started: Schema.String, host: Schema.String }))
type Owner = (typeof Owner)["Type"]

/** On Linux a process is known by when it started, too: field 22, in ticks since the machine did. */
const identity = (pid: number): Effect.Effect<Owner, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const read = (path: string) => Effect.orElseSucceed(fs.readFileString(path), () => "")
    const stat = yield* read(`/proc/${pid}/stat`)
    const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
    return { pid, started, host: (yield* read("/proc/sys/kernel/hostname")).trim() }
  })

const take = (
  file: string,
  lock: string,
  self: Owner
): Effect.Effect<void, Locked | PlatformError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    if (yield* link(fs, lock, self)) return
    const found = yield* Effect.orElseSucceed(fs.readFileString(lock), () => "")
    const owner = yield* Effect.orElseSucceed(Schema.decodeEffect(Owner)(found), () => undefined)
    const name = owner === undefined ? "A process" : `Process ${owner.pid}${at(owner, self)}`
    if (owner === undefined || !(yield* isStale(owner, self))) return yield* new Locked({ file, lock, owner: name })
    yield* remove(fs, lock, found)
    if (!(yield* link(fs, lock, self))) return yield* new Locked({ file, lock, owner: "Another process" })
  })

const at = (owner: Owner, self: Owner): string => (owner.host === self.host ? "" : ` on ${owner.host}`)

const isStale = (owner: Owner, self: Owner): Effect.Effect<boolean, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    if (owner.host !== self.host) return false
    const process = yield* CurrentProcess
    if (owner.pid !== self.pid && !(yield* process.isRunning(owner.pid))) return true
    return (yield* identity(owner.pid)).started !== owner.started
  })

/** Makes the lock with its content in one step; whether it was free. */
const link = (fs: FileSystem.FileSystem, lock: string, self: Owner): Effect.Effect<boolean, PlatformError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const draft = `${lock}.${self.pid}.${yield* Random.nextIntBetween(0, 2 ** 32)}`
      yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(draft)))
      yield* fs.writeFileString(draft, JSON.stringify(self))
      return yield* Effect.as(fs.link(draft, lock), true).pipe(
        Effect.catchIf(
          (error) => error.reason._tag === "AlreadyExists",
          () => Effect.succeed(false)
        )
      )
    })
  )

/** Removes a stale lock. Someone else may have done so and taken it meanwhile: that lock is put back. */
const remove = (fs: FileSystem.FileSystem, lock: string, found: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    const aside = `${lock}.stale`
    yield* fs.rename(lock, aside)
    if ((yield* fs.readFileString(aside)) !== found) yield* fs.link(aside, lock)
    yield* fs.remove(aside)
  }).pipe(Effect.ignore)

const release = (fs: FileSystem.FileSystem, lock: string, self: Owner): Effect.Effect<void, PlatformError> =>
  Effect.flatMap(fs.readFileString(lock), (found) => (found === JSON.stringify(self) ? fs.remove(lock) : Effect.void))
