/**
 * Shows all agents of a program that is not changed for it: `node --import miniagents/inspector/register app.ts`.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import process from "node:process"
import { pathToFileURL } from "node:url"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Inspector from "./Inspector.ts"
import * as Exported from "./watch/exported.ts"
import * as idleClock from "./watch/idleClock.ts"

const settings = Config.all({
  port: Config.option(Config.Int("MINIAGENTS_INSPECTOR_PORT")),
  record: Config.option(Config.String("MINIAGENTS_INSPECTOR_RECORD")),
  token: Config.option(Config.Redacted("MINIAGENTS_INSPECTOR_TOKEN"))
})

/** What is loaded by its address once is not loaded again. */
const main = (): Promise<Record<string, unknown>> => {
  const [, file] = process.argv
  return file === undefined
    ? Promise.resolve({})
    : (import(pathToFileURL(fs.realpathSync(file)).href) as Promise<Record<string, unknown>>)
}

/** The program goes on without the page where that cannot be shown. */
const launched = Effect.gen(function* () {
  const { port, record, token } = yield* settings
  const options = {
    port: Option.getOrUndefined(port),
    record: Option.getOrUndefined(record),
    token: Option.getOrUndefined(token)
  }
  return yield* Layer.launch(Inspector.layerProcess(options, Exported.of(main)))
}).pipe(
  Effect.catch((error) => Console.error(error.message)),
  Effect.provideService(Clock.Clock, idleClock.make())
)

Effect.runFork(launched)

/** A program that has ended can still be talked with, if it exports agents and whoever started it wants that. */
const staying = Effect.gen(function* () {
  const { stay } = yield* Config.all({ stay: Config.Boolean("MINIAGENTS_INSPECTOR_STAY") })
  const exported = yield* Effect.orElseSucceed(Effect.tryPromise(main), () => ({}))
  if (!stay || Exported.agentsIn(exported).length === 0) return undefined
  yield* Console.error("The program has ended; its agents can be talked with on the page, until Ctrl-C.")
  return yield* Effect.forever(Effect.sleep("1 hour")) // a timer that keeps the process
}).pipe(Effect.ignore)

process.once("beforeExit", () => Effect.runFork(staying))
