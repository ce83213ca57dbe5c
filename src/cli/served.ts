/** Starts the part of the program that serves agents, and ends it in order. */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { misuse, type Refusal, refuse } from "./refusal.ts"
import type { Failed, Settings } from "./serve.ts"

interface Flags {
  readonly file: string
  readonly port: number
  readonly token: Option.Option<Redacted.Redacted>
  readonly store: Option.Option<string>
}

export const run = ({ file, port, store, token }: Flags): Effect.Effect<void, Refusal> =>
  Effect.gen(function* () {
    const configured = yield* Effect.orElseSucceed(Config.option(Config.Redacted("MINIAGENTS_TOKEN")), Option.none)
    const secret = Option.map(
      Option.orElse(token, () => configured),
      Redacted.value
    )
    const { serve } = yield* Effect.promise(() => load(file))
    const settings = { file, port, token: Option.getOrUndefined(secret), store: Option.getOrUndefined(store) }
    const failed = yield* Effect.callback<Failed | undefined>((resume) => {
      const abort = new AbortController()
      const ended = serve(settings, abort.signal)
      void ended.then((failed) => resume(Effect.succeed(failed)))
      // whoever ends the program waits until everything is let go of
      return Effect.promise(() => {
        abort.abort()
        return ended
      })
    })
    if (failed !== undefined) return yield* refuse(failed.isMisuse ? misuse : 1)(failed)
  })

/**
 * What serves is not inside of the program, so that it shares its modules with the file that it serves: it is that of
 * the package that the file imports, if it imports one.
 */
const load = (
  file: string
): Promise<{ serve: (settings: Settings, signal: AbortSignal) => Promise<Failed | undefined> }> => {
  const isSource = import.meta.url.endsWith(".ts")
  const found = isSource ? undefined : installedFor(path.resolve(file))
  return found === undefined ? import("./serve.ts") : import(pathToFileURL(found).href)
}

const installedFor = (file: string): string | undefined => {
  const serve = Option.liftThrowable(() => createRequire(file).resolve("miniagents/package.json"))().pipe(
    Option.map((manifest) => path.join(path.dirname(manifest), "dist/cli/serve.js")),
    Option.filter(existsSync)
  )
  return Option.getOrUndefined(serve)
}
