/** Starts the part of the program that looks after runs. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Apart from "./apart.ts"
import type { Order } from "./operate.ts"
import type { Refusal } from "./refusal.ts"

export interface Flags {
  readonly store: string
  readonly prefix: Option.Option<string>
  readonly json: boolean
}

export const run = ({ json, prefix, store }: Flags, order: Order): Effect.Effect<void, Refusal> =>
  Effect.gen(function* () {
    const file = (order.what === "rerun" ? order.file : undefined) ?? "program.js"
    const { operate } = yield* Apart.load("operate", file, () => import("./operate.ts"))
    return yield* Apart.run((signal) => operate({ store, prefix: Option.getOrUndefined(prefix), json, order }, signal))
  })
