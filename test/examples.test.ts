/** Each example prints exactly what is written here, which is also what its header says where it lists the lines. */

import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import * as Calls from "../examples/basics/calls.ts"
import * as Errors from "../examples/basics/errors.ts"
import * as Parallelism from "../examples/basics/parallelism.ts"
import * as FullDuplex from "../examples/basics/full-duplex.ts"
import * as CustomMessages from "../examples/basics/custom-messages.ts"
import * as OutOfOrder from "../examples/basics/out-of-order.ts"
import * as SequenceFlattening from "../examples/basics/sequence-flattening.ts"
import * as ThreeWaysToRun from "../examples/basics/three-ways-to-run.ts"
import * as Compaction from "../examples/models/compaction.ts"
import * as Persistence from "../examples/operations/persistence.ts"
import * as AgentAsAService from "../examples/basics/agent-as-a-service.ts"
import * as ErrorsAsMessages from "../examples/basics/errors-as-messages.ts"
import * as Spans from "../examples/operations/spans.ts"
import * as Seeds from "../examples/testing/seeds.ts"
import * as Branches from "../examples/conversations/branches.ts"
import * as Store from "../examples/conversations/store.ts"
import * as DurableApproval from "../examples/durable/approval.ts"
import * as DurableCutOff from "../examples/durable/cut-off.ts"
import * as DurableRerun from "../examples/durable/rerun.ts"
import * as Images from "../examples/models/images.ts"
import * as ServingA2a from "../examples/serving/a2a.ts"
import * as ServingAgUi from "../examples/serving/ag-ui.ts"
import * as ServingAiSdk from "../examples/serving/ai-sdk.ts"
import * as ServingMcp from "../examples/serving/mcp.ts"
import * as ServingOpenAiApi from "../examples/serving/openai-api.ts"

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
  "basics/calls": {
    ...Calls,
    prints: `
You said: Hello
You said: World`
  },
  "basics/errors": {
    ...Errors,
    prints: `
Exception while iterating over response: Something went wrong in callee agent`
  },
  "models/compaction": {
    ...Compaction,
    prints: `
asked with at most 400 tokens, 12 times
the last prompt begins with: You are a guide | Day 1: river ...
what was summarized is still there: true`
  },
  "basics/parallelism": {
    ...Parallelism,
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
  "basics/full-duplex": {
    ...FullDuplex,
    prints: `
sending hello
you said: hello
sending world
you said: world
the call has ended after 2 replies`
  },
  "basics/custom-messages": {
    ...CustomMessages,
    prints: `
Custom Value
2 of 5 stars for "It was a dark night"
the same review again: true
User: Hello!
System: Answer in one sentence
Assistant: Hi.`
  },
  "basics/out-of-order": {
    ...OutOfOrder,
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
  "basics/sequence-flattening": {
    ...SequenceFlattening,
    prints: `${flattened}
=== REPLAYING MESSAGES ===${flattened}`
  },
  "basics/three-ways-to-run": {
    ...ThreeWaysToRun,
    prints: `
You said: a program
You said: a scope
You said: request 1
You said: request 2`
  },
  "operations/persistence": {
    ...Persistence,
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
  "basics/agent-as-a-service": {
    ...AgentAsAService,
    prints: `
live: Published: A gloomy text about rain
test: Published: the gloomy writer was asked for "rain"
test: Nothing to publish, too cheerful: sunshine`
  },
  "basics/errors-as-messages": {
    ...ErrorsAsMessages,
    prints: `
As errors:
- Asking the model
! Disconnected: the model hung up
As messages:
- Asking the model
- Once upon a (Disconnected: the model hung up)
- Anything else?`
  },
  "operations/spans": {
    ...Spans,
    prints: `
request
  invoke_agent Research
    invoke_agent Search (Finds pages)
      invoke_agent Reader
    invoke_agent Search (Finds pages)
      invoke_agent Reader`
  },
  "testing/seeds": {
    ...Seeds,
    prints: `
one run: Ordered passed
one run: Unordered passed
200 seeds: Ordered passed
200 seeds: Unordered failed, \`second\` came first`
  },
  "conversations/branches": {
    ...Branches,
    prints: `
main: Name a colour. / Blue. / Another one, please. / Green, then.
darker (forked from main at 2): Name a colour. / Blue. / Darker, please. / Navy, then.`
  },
  "models/images": {
    ...Images,
    prints: `
the model was shown: What is on it? + dot.png (image/png)
Assistant: A red dot. Here is a better one:
Assistant: 70 bytes of image/png
both are the same file: true`
  },
  "serving/a2a": {
    ...ServingA2a,
    prints: `
the card says: Baker, Bakes what is ordered
it says: A cake, then.
it asks: It waits for \`topping\`
it says: Here it is, with cherries.`
  },
  "serving/ag-ui": {
    ...ServingAgUi,
    prints: `
begins: Cleaner
asks: May \`DeleteFile\` be called?
tool: draft.txt is gone
Cleaner: I deleted it
Manager: All is clean`
  },
  "serving/ai-sdk": {
    ...ServingAiSdk,
    prints: `
a page asks, and is cut off after: Roses are
another page of the chat has: Roses are red, / violets are blue.`
  },
  "serving/mcp": {
    ...ServingMcp,
    prints: `
a tool: Counter, Counts the words of a text
the result: I count. / 3 words`
  },
  "serving/openai-api": {
    ...ServingOpenAiApi,
    prints: `
models: poet
a completion: Roses are red, / violets are blue.
cut off after: Roses are
and then: red, / violets are blue.`
  },
  "conversations/store": {
    ...Store,
    prints: `
both begin with 2 messages; then "Darker, please." and "Another one, please."
rewound: Name a colour.
undone: Name a colour. / Blue. / Another one, please.
4 messages kept, 0 damaged`
  },
  "durable/approval": {
    ...DurableApproval,
    prints: `
the first process waits for approval:Clerk/call-1, and is killed
$ miniagents runs signal refund-1 approval:Clerk/call-1 {"approved":true} --store runs.db
the second process:
40 is paid back for order A-7
Your money is on its way.`
  },
  "durable/cut-off": {
    ...DurableCutOff,
    prints: `
first life
paid 10 for the picture
second life
a picture for 10, approved by Ann`
  },
  "durable/rerun": {
    ...DurableRerun,
    prints: `
asked 1, reused 2
Report/1:Costs: "high" became "low"`
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

    it.effect(
      `${name} prints what it should`,
      () =>
        Effect.gen(function* () {
          assert.strictEqual(yield* printed(program), lines)
        }),
      60_000 // one that starts a process takes as long as the machine lets it
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
