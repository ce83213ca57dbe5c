/** Each example prints exactly what is written here, which is also what its header says where it lists the lines. */

import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import * as Example01 from "../examples/01-basic-usage.ts"
import * as Example02 from "../examples/02-exceptions.ts"
import * as Example03 from "../examples/03-parallelism.ts"
import * as Example04 from "../examples/04-send-twice.ts"
import * as Example05 from "../examples/05-full-duplex.ts"
import * as Example06 from "../examples/06-custom-messages.ts"
import * as Example07 from "../examples/07-out-of-order.ts"
import * as Example08 from "../examples/08-sequence-flattening.ts"
import * as Example09 from "../examples/09-three-ways-to-run.ts"
import * as Example10 from "../examples/10-persistence.ts"
import * as Example11 from "../examples/11-agent-as-a-service.ts"
import * as Example12 from "../examples/12-errors-as-messages.ts"
import * as Example13 from "../examples/13-spans.ts"
import * as Example14 from "../examples/14-testing-with-seeds.ts"
import * as Example31 from "../examples/31-branches.ts"
import * as Example33 from "../examples/33-store.ts"

const flattened = `
Text: RESEARCHING: Tell me about sequence flattening
Text: query 1 - SEARCHING
Text: query 2 - SEARCHING
Text: query 2 - SEARCH DONE
Text: https://dummy.com/query-2/page-1 - SCRAPING
Text: https://dummy.com/query-2/page-2 - SCRAPING
Text: https://dummy.com/query-2/page-2 - DONE
Text: https://dummy.com/query-2/page-1 - DONE
Text: query 1 - SEARCH DONE
Text: https://dummy.com/query-1/page-1 - SCRAPING
Text: https://dummy.com/query-1/page-2 - SCRAPING
Text: https://dummy.com/query-1/page-2 - DONE
Text: https://dummy.com/query-1/page-1 - DONE`

const examples: Readonly<Record<string, { readonly program: Effect.Effect<void>; readonly prints: string }>> = {
  "01-basic-usage": {
    ...Example01,
    prints: `
You said: Hello
You said: World`
  },
  "02-exceptions": {
    ...Example02,
    prints: `
Exception while iterating over response: Something went wrong in callee agent`
  },
  "03-parallelism": {
    ...Example03,
    prints: `
TRIGGERING AGGREGATOR
TRIGGERING AGGREGATOR DONE

SLEEPING FOR ONE SECOND
Aggregator started
Aggregator still working
Aggregator finished
Agent 1 started
Agent 1 still working
Agent 1 finished
Agent 2 started
Agent 2 finished
SLEEPING DONE

PREPARING TO GET MESSAGES FROM AGGREGATOR
*** AGGREGATOR MESSAGE #1 ***
*** MESSAGE #1 from Agent 1 ***
*** MESSAGE #2 from Agent 1 ***
*** MESSAGE from Agent 2 ***
*** AGGREGATOR MESSAGE #2 ***
TOTAL NUMBER OF MESSAGES FROM AGGREGATOR: 5`
  },
  "04-send-twice": {
    ...Example04,
    prints: `
Echo: Hello
Echo: World`
  },
  "05-full-duplex": {
    ...Example05,
    prints: `
sending hello
you said: hello
sending world
you said: world
the call has ended after 2 replies`
  },
  "06-custom-messages": {
    ...Example06,
    prints: `
Custom Value
2 of 5 stars for "It was a dark night"
the same review again: true
User: Hello!
System: Answer in one sentence
Assistant: Hi.`
  },
  "07-out-of-order": {
    ...Example07,
    prints: `
In order:
slow search done
quick search done
other search done
Out of order:
quick search done
other search done
slow search done`
  },
  "08-sequence-flattening": {
    ...Example08,
    prints: `${flattened}
=== REPLAYING MESSAGES ===${flattened}`
  },
  "09-three-ways-to-run": {
    ...Example09,
    prints: `
You said: a program
You said: a scope
You said: request 1
You said: request 2`
  },
  "10-persistence": {
    ...Example10,
    prints: `
Persisting message with hash key: 33d12169b77c08c334708f8f127d8401cb3fe8787cbd15cde3a6962718a7d0b6 (Text)
Persisting message with hash key: 7f0332c5c9fca956a934f8c48d530293c483b5b0468ecfda3fd988335a42f3ae (CallRecord)
Persisting message with hash key: d91bc40b73dbd215baf3c52689154d383f55f84f4abd41892dbfb4987ed74ded (Text)
Persisting message with hash key: 705e9faa8385d68ca085c6bc25c2fa9921df9a1add10eccc21d554527105714c (ReplyRecord)
{
  "_tag": "ReplyRecord",
  "agent": "Shout",
  "call__hash_key": "7f0332c5c9fca956a934f8c48d530293c483b5b0468ecfda3fd988335a42f3ae",
  "replies__hash_keys": [
    "d91bc40b73dbd215baf3c52689154d383f55f84f4abd41892dbfb4987ed74ded"
  ],
  "ending": "success",
  "metadata": {}
}`
  },
  "11-agent-as-a-service": {
    ...Example11,
    prints: `
live: Published: A gloomy text about rain
test: Published: the gloomy writer was asked for "rain"
test: Nothing to publish, too cheerful: sunshine`
  },
  "12-errors-as-messages": {
    ...Example12,
    prints: `
As errors:
- Asking the model
! Disconnected: the model hung up
As messages:
- Asking the model
- Once upon a (Disconnected: the model hung up)
- Anything else?`
  },
  "13-spans": {
    ...Example13,
    prints: `
request
  invoke_agent Research
    invoke_agent Search (Finds pages)
      invoke_agent Reader
    invoke_agent Search (Finds pages)
      invoke_agent Reader`
  },
  "14-testing-with-seeds": {
    ...Example14,
    prints: `
one run: Ordered passed
one run: Unordered passed
200 seeds: Ordered passed
200 seeds: Unordered failed, \`second\` came first`
  },
  "31-branches": {
    ...Example31,
    prints: `
main: Name a colour. / Blue. / Another one, please. / Green, then.
darker (forked from main at 2): Name a colour. / Blue. / Darker, please. / Navy, then.`
  },
  "33-store": {
    ...Example33,
    prints: `
both begin with 2 messages; then "Darker, please." and "Another one, please."
rewound: Name a colour.
undone: Name a colour. / Blue. / Another one, please.
4 messages kept, 0 damaged`
  }
}

/** Gives way so often that whatever does not wait for the clock has come to rest. */
const rest = Effect.repeat(Effect.yieldNow, { times: 100 })

/** Everything a program prints, with the clock put forward whenever the program has come to rest. */
const printed = Effect.fnUntraced(function* (program: Effect.Effect<void>) {
  const fiber = yield* Effect.forkChild(program)
  yield* rest
  while (fiber.pollUnsafe() === undefined) {
    yield* TestClock.adjust("50 millis")
    yield* rest
  }
  yield* Fiber.join(fiber)
  assert.deepStrictEqual(yield* TestConsole.errorLines, [])
  return (yield* TestConsole.logLines).join("\n")
})

const headerOf = (name: string): string => {
  const source = readFileSync(new URL(`../examples/${name}.ts`, import.meta.url), "utf8")
  return source.slice("/**".length, source.indexOf("*/")).replaceAll(/^ \* ?/gm, "")
}

describe("examples", () => {
  for (const [name, { prints, program }] of Object.entries(examples)) {
    const lines = prints.slice(1)

    it.effect(`${name} prints what it should`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* printed(program), lines)
      })
    )

    it(`${name} says how to run it and what it prints`, () => {
      const header = headerOf(name)
      assert.include(header, `\nRun: node --conditions=miniagents-source examples/${name}.ts\n`)
      const [, listed] = header.split("\nPrints:\n")
      if (listed === undefined) assert.match(header, /\nPrints /)
      else assert.strictEqual(listed.trimEnd().replaceAll(/^ {2}/gm, ""), lines)
    })
  }
})
