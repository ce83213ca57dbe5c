/** A history takes what the library's own agents reply, without being told their classes: a second turn must work. */
import * as L from "./lib.ts"
import { Effect, Exit } from "effect"
import { Message, MiniAgents } from "miniagents"
import { SqlHistory } from "miniagents/history"
import { LlmAgent } from "miniagents/llm"
import { SqliteClient } from "miniagents/sqlite"
import { ScriptedModel as S } from "miniagents/testing"
const poet = LlmAgent.make("Poet")
const turn = (text: string) =>
  Effect.gen(function* () {
    const history = yield* SqlHistory.make({ conversation: "support/42" })
    const sofar = yield* history.trigger(Message.user(text), { returnFullHistory: true })
    return yield* (yield* history.trigger(yield* poet.trigger(sofar as any) as any)).messages
  })
const exit = await Effect.runPromiseExit(
  Effect.andThen(turn("hi"), turn("again")).pipe(
    Effect.provide([
      MiniAgents.layer(),
      SqliteClient.layer({ filename: ":memory:" }),
      S.layer([S.always(S.turn(S.reasoning("hm"), S.text("hello")))])
    ])
  ) as any
)
L.verdict("52 a conversation with a reasoning model can be continued from SQL", [
  Exit.isFailure(exit) && `the second turn: ${L.short(L.errorOf(exit))}`
])
