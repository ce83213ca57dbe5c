/** S7: a loop of turns, each of which triggers an agent with the replies of the turn before. */
import * as Effect from "effect/Effect"
import { Agent } from "miniagents"
import type { Message, MessageSequence } from "miniagents"
import type { Case } from "../Case.ts"
import * as Memory from "../Memory.ts"
import * as Statistics from "../Statistics.ts"
import { run } from "./Runtime.ts"

/** Replies to "turn 7" with "turn 8". */
const next = Agent.make(
  "Next",
  Effect.fnUntraced(function* (ctx) {
    const turn = Number((yield* ctx.messages.text).slice(5))
    yield* ctx.reply(`turn ${turn + 1}`)
  })
)

const check = (text: string, turn: number): void => {
  if (text !== `turn ${turn}`) throw new Error(`turn ${turn} replied ${JSON.stringify(text)}`)
}

/** Keeps nothing but the replies of the last turn. */
export const forgetful: Case = (turns) =>
  run(
    Effect.gen(function* () {
      let replies: MessageSequence.MessageSequence = yield* next.trigger("turn 0")
      let early = 0
      const start = performance.now()
      for (let turn = 1; turn < turns; turn++) {
        check(yield* replies.text, turn)
        replies = yield* next.trigger(replies)
        if (turn === Math.floor(turns / 10)) early = Memory.live()
      }
      check(yield* replies.text, turns)
      const ms = performance.now() - start
      return { ms, facts: { "live MB at a tenth": early, "live MB at the end": Memory.live() } }
    })
  )

/** Keeps every message and asks for its hash key; gives the microseconds of each turn. */
const remember = Effect.fnUntraced(function* (turns: number) {
  const history: Array<Message.Message> = []
  const keys = new Set<string>()
  const times: Array<number> = []
  let replies: MessageSequence.MessageSequence = yield* next.trigger("turn 0")
  for (let turn = 1; turn <= turns; turn++) {
    const start = performance.now()
    for (const message of yield* replies.messages) {
      check(String(message), turn)
      history.push(message)
      keys.add(message.hashKey)
    }
    replies = yield* next.trigger(replies)
    times.push(1000 * (performance.now() - start))
  }
  if (history.length !== turns || keys.size !== turns) throw new Error(`${keys.size} keys of ${turns} turns`)
  return times
})

/** Early turns are compared with late ones, so a first loop warms the very code that the second one runs. */
export const remembering: Case = (turns) =>
  run(
    Effect.gen(function* () {
      yield* remember(turns / 5)
      const start = performance.now()
      const times = yield* remember(turns)
      const ms = performance.now() - start
      const median = (values: ReadonlyArray<number>) => Statistics.summary(values).median
      const facts = {
        "µs a turn, first 100": median(times.slice(0, 100)),
        "µs a turn, last 100": median(times.slice(-100))
      }
      return { ms, facts }
    })
  )
