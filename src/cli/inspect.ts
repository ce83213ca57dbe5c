/** `miniagents inspect`: runs a program and shows its agents, or shows a run that was recorded. */
import { closeSync, openSync, readSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import * as path from "node:path"
import process from "node:process"
import { pathToFileURL } from "node:url"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as ChildProcess from "effect/process/ChildProcess"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Inspector from "../inspector/Inspector.ts"
import * as RecordFile from "../inspector/record/recordFile.ts"
import type { Shown } from "../inspector/server/shown.ts"
import * as Apart from "./apart.ts"
import { misuse, Refusal, refuse } from "./refusal.ts"

export interface Inspected {
  readonly port: Option.Option<number>
  readonly words: ReadonlyArray<string>
}

type Requirements = ChildProcessSpawner | FileSystem.FileSystem

export const run = ({ port, words }: Inspected): Effect.Effect<void, Refusal | PlatformError, Requirements> =>
  Effect.scoped(
    Effect.suspend(() => {
      const given = Option.getOrUndefined(port)
      const [first, ...others] = words
      if (first === undefined) {
        return new Refusal({
          message: "Say which program, recording or store: miniagents inspect app.ts",
          status: misuse
        })
      }
      if (first.endsWith(".ndjson")) return showRecordings(words, given)
      return isStore(first) ? showStore(first, others[0], given) : runProgram(first, others, given)
    })
  )

const showRecordings = (files: ReadonlyArray<string>, port: number | undefined): Effect.Effect<never, Refusal> =>
  Effect.gen(function* () {
    const shown = yield* Effect.mapError(Effect.forEach(files, readShown), refuse(misuse))
    return yield* show(shown, { port })
  })

/** An address of a database, or a file that begins as those of SQLite do. */
const isStore = (word: string): boolean =>
  /^(postgres(ql)?|sqlite|file):/.test(word) || /\.(db|sqlite3?)$/.test(word) || beginOf(word) === "SQLite format 3"

const beginOf = (file: string): string => {
  const read = Result.try(() => {
    const descriptor = openSync(file, "r")
    const bytes = new Uint8Array(15)
    readSync(descriptor, bytes)
    closeSync(descriptor)
    return new TextDecoder().decode(bytes)
  })
  return Result.getOrElse(read, () => "")
}

/** Shows a store until it is interrupted. */
const showStore = (store: string, file: string | undefined, port: number | undefined): Effect.Effect<void, Refusal> =>
  Effect.gen(function* () {
    const { look } = yield* Apart.load("look", file ?? "program.js", () => import("./look.ts"))
    return yield* Apart.run((signal) => look({ store, file, port }, signal))
  })

const readShown = (file: string): Effect.Effect<Shown, RecordFile.RecordError> =>
  Effect.map(RecordFile.read(file), (recording) => {
    const { startedAt, title } = recording
    const about = () => ({ id: path.basename(file), title, startedAt, live: false })
    return { recording, about, now: () => recording.now }
  })

/** Shows recordings until it is interrupted. */
const show = (shown: ReadonlyArray<Shown>, options: Inspector.Options): Effect.Effect<never, Refusal> =>
  Effect.mapError(Layer.launch(Inspector.layerRecordings(shown, options)), refuse(1))

/** Runs a program that shows itself; when it has ended, its page goes on with what it has recorded. */
const runProgram = (
  program: string,
  words: ReadonlyArray<string>,
  given: number | undefined
): Effect.Effect<never, Refusal | PlatformError, Requirements | Scope.Scope> =>
  Effect.gen(function* () {
    const register = yield* registerOf(program)
    const fs = yield* FileSystem.FileSystem
    const record = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "miniagents-" }), "run.ndjson")
    const port = given ?? (yield* freePort)
    const token = Redacted.make(SecureRandom.uuidV4Unsafe())
    const child = yield* ChildProcess.make(process.execPath, ["--import", register, program, ...words], {
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
      extendEnv: true,
      env: {
        MINIAGENTS_INSPECTOR_PORT: String(port),
        MINIAGENTS_INSPECTOR_TOKEN: Redacted.value(token),
        MINIAGENTS_INSPECTOR_RECORD: record,
        MINIAGENTS_INSPECTOR_STAY: "true"
      }
    })
    const status = yield* child.exitCode
    yield* Console.error(`The program has ended (exit status ${status}); its page stays open until Ctrl-C.`)
    const shown = yield* Effect.mapError(readShown(record), refuse(1))
    return yield* show([shown], { port, token })
  })

/** The address of the module that watches: that of the library which the program itself uses. */
const registerOf = (program: string): Effect.Effect<string, Refusal> =>
  Effect.try({
    try: () => {
      const register = createRequire(path.resolve(program)).resolve("miniagents/inspector/register")
      return pathToFileURL(register).href
    },
    catch: () =>
      new Refusal({
        message: `There is no \`miniagents\` where the program \`${program}\` is: npm install miniagents`,
        status: misuse
      })
  })

const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})
