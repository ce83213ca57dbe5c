/** Starts the part of the program that is a process of a cluster. */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Apart from "./apart.ts"
import type { Settings } from "./cluster.ts"
import { misuse, type Refusal, refuse } from "./refusal.ts"

interface Flags extends Omit<Settings, "store" | "drain"> {
  readonly store: Option.Option<Redacted.Redacted>
  readonly drain: string
}

export const run = (flags: Flags): Effect.Effect<void, Refusal> =>
  Effect.gen(function* () {
    const configured = yield* Effect.orElseSucceed(Config.option(Config.Redacted("DATABASE_URL")), Option.none)
    const store = Option.map(
      Option.orElse(flags.store, () => configured),
      Redacted.value
    )
    if (Option.isNone(store)) {
      return yield* refuse(misuse)({ message: "No store is given: say --store or set DATABASE_URL, as postgres://…" })
    }
    const drain = Option.getOrUndefined(Duration.fromInput(flags.drain as Duration.Input)) // or it is no duration
    if (drain === undefined) {
      return yield* refuse(misuse)({ message: `--drain must be a duration such as "5 minutes", got "${flags.drain}"` })
    }
    const { cluster } = yield* Apart.load("cluster", flags.file, () => import("./cluster.ts"))
    return yield* Apart.run((signal) => cluster({ ...flags, store: store.value, drain }, signal))
  })
