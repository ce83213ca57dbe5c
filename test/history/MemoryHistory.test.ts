/** The history in memory. */

import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Message, MiniAgents } from "miniagents"
import { MemoryHistory } from "miniagents/history"
import { suite } from "./History.contract.ts"

const make = MemoryHistory.makeHistory()
suite("in memory", { make, layer: Layer.empty, branching: make })

it.effect("a memory history begins with the messages it is given", () =>
  Effect.gen(function* () {
    const history = yield* MemoryHistory.make([Message.user("before")])
    const replies = yield* history.trigger("after", { returnFullHistory: true })
    assert.deepStrictEqual((yield* replies.messages).map(String), ["before", "after"])
  }).pipe(Effect.provide(MiniAgents.layer()))
)
