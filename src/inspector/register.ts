/**
 * Shows all agents of a program that is not changed for it: `node --import miniagents/inspector/register app.ts`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Inspector from "./Inspector.ts"
import * as idleClock from "./watch/idleClock.ts"

const settings = Config.all({
  port: Config.option(Config.Int("MINIAGENTS_INSPECTOR_PORT")),
  record: Config.option(Config.String("MINIAGENTS_INSPECTOR_RECORD")),
  token: Config.option(Config.Redacted("MINIAGENTS_INSPECTOR_TOKEN"))
})

/** The program goes on without the page where that cannot be shown. */
const launched = Effect.gen(function* () {
  const { port, record, token } = yield* settings
  const options = {
    port: Option.getOrUndefined(port),
    record: Option.getOrUndefined(record),
    token: Option.getOrUndefined(token)
  }
  return yield* Layer.launch(Inspector.layerProcess(options))
}).pipe(
  Effect.catch((error) => Console.error(error.message)),
  Effect.provideService(Clock.Clock, idleClock.make())
)

Effect.runFork(launched)
