/** Starts the part of the program that serves agents. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Apart from "./apart.ts"
import type { Refusal } from "./refusal.ts"

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
    const { serve } = yield* Apart.load("serve", file, () => import("./serve.ts"))
    const settings = { file, port, token: Option.getOrUndefined(secret), store: Option.getOrUndefined(store) }
    return yield* Apart.run((signal) => serve(settings, signal))
  })
