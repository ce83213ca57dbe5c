/** What a closing runtime has to say (an unread failure, messages that were not persisted) reaches the user's logger, however it was provided. */
import * as L from "./lib.ts"
import { Effect, Layer, Logger, Schema } from "effect"
import { Agent, MiniAgents } from "miniagents"
class Bad extends Schema.TaggedError<Bad>()("Bad", {}) {}
const bad = Agent.make("Bad", () => new Bad()),
  good = Agent.make("Good", (ctx) => ctx.reply("x"))
const complaints: Array<string> = []
const logged = async (
  title: string,
  wanted: string,
  provide: (logger: Layer.Layer<never>) => Effect.Effect<unknown, unknown>
) => {
  let found = false
  await Effect.runPromise(
    provide(
      Logger.layer([
        Logger.make(({ message }) => {
          if (String(message).includes(wanted)) found = true
        })
      ])
    ) as any
  ).catch(() => {})
  if (!found) complaints.push(`${title}: not told of "${wanted}"`)
}
const unread = Effect.andThen(bad.trigger(), Effect.sleep(20))
const failing = MiniAgents.layer({ onPersistMessages: () => Effect.fail("disk full") })
const spoken = Effect.flatMap(good.trigger("q"), (s) => s.messages)
await logged("beside", "Nobody read", (l) => Effect.provide(unread, [MiniAgents.layer(), l]) as any)
await logged(
  "beneath",
  "Nobody read",
  (l) => Effect.provide(unread, MiniAgents.layer().pipe(Layer.provideMerge(l))) as any
)
await logged("beside", "not persisted", (l) => Effect.provide(spoken, [failing, l]) as any)
L.verdict("55 what a closing runtime says reaches the logger", complaints)
