/**
 * Parts of the program that work with a person's own modules: they are not inside of it, so that they share `effect` and
 * the library with those.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Failed } from "./failed.ts"
import { misuse, type Refusal, refuse } from "./refusal.ts"

/**
 * Runs until it has ended, which a promise tells: the part may have an `effect` of its own. Whoever ends the
 * program waits until everything is let go of.
 */
export const run = (start: (signal: AbortSignal) => Promise<Failed | undefined>): Effect.Effect<void, Refusal> =>
  Effect.gen(function* () {
    const failed = yield* Effect.callback<Failed | undefined>((resume) => {
      const abort = new AbortController()
      const ended = start(abort.signal)
      void ended.then((failed) => resume(Effect.succeed(failed)))
      return Effect.promise(() => {
        abort.abort()
        return ended
      })
    })
    if (failed !== undefined) return yield* refuse(failed.isMisuse ? misuse : 1)(failed)
  })

/** Loads such a part: that of the package that a file imports, if it imports one, and else the one beside the program. */
export const load = <A>(name: string, file: string, own: () => Promise<A>): Effect.Effect<A> =>
  Effect.promise(() => {
    const isSource = import.meta.url.endsWith(".ts")
    const found = isSource ? undefined : installedFor(name, path.resolve(file))
    return found === undefined ? own() : (import(pathToFileURL(found).href) as Promise<A>)
  })

const installedFor = (name: string, file: string): string | undefined => {
  const part = Option.liftThrowable(() => createRequire(file).resolve("miniagents/package.json"))().pipe(
    Option.map((manifest) => path.join(path.dirname(manifest), "dist/cli", `${name}.js`)),
    Option.filter(existsSync)
  )
  return Option.getOrUndefined(part)
}
