/** Calls what `agents.ts` exports, with nothing but its declarations: they say what the source says. */

import { Effect } from "effect"
import type { MiniAgents } from "miniagents"
import type { Index, NotFound } from "./agents.ts"
import { chain, research, Writer } from "./agents.ts"

type Text<E, R> = Effect.Effect<string, E, R | MiniAgents.MiniAgents>
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>) => {}

const text = Effect.flatMap(research.trigger("x"), (replies) => replies.text)
same<typeof text, Text<NotFound, Index>>(true)
const written = Effect.flatMap(chain.trigger(["x"]), (replies) => replies.text)
same<typeof written, Text<NotFound, Index | Writer>>(true)
export const drafted = Writer.trigger("draft", { tone: "dry" })
// @ts-expect-error its parameters are those of the source
export const refused = Writer.trigger("draft", { tone: 1 })
