import { HttpAgent, type Message as AgUiMessage } from "@ag-ui/client"
import { EventSchemas } from "@ag-ui/core/schemas"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { Message, type MessageSequence, MiniAgents, type Transcript } from "miniagents"
import { LlmMessage } from "miniagents/llm"
import { AgUi } from "miniagents/serve"
import * as Tree from "./Tree.ts"

const told = (events: ReadonlyArray<Transcript.Event>) =>
  Stream.runCollect(AgUi.encode(Stream.fromIterable(events), { threadId: "t1", runId: "r1" }))

/** What the client of AG-UI makes of events, and what it complains about: it verifies their order. */
const judge = (events: ReadonlyArray<AgUi.AgUiEvent>) =>
  Effect.promise(async () => {
    const complaints: Array<string> = []
    for (const event of events) {
      const result = EventSchemas.safeParse(JSON.parse(JSON.stringify(event)))
      if (!result.success) complaints.push(`${JSON.stringify(event)}: ${result.error.message}`)
    }
    const body = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")
    const headers = { "content-type": "text/event-stream" }
    const agent = new HttpAgent({ url: "http://localhost", fetch: async () => new Response(body, { headers }) })
    const errors: Array<string> = []
    await agent
      .runAgent(
        { runId: "r1" },
        { onRunErrorEvent: ({ event }) => void errors.push(event.message), onRunFailed: () => {} }
      )
      .catch((error: unknown) => complaints.push(String(error)))
    return { messages: agent.messages, complaints, errors }
  })

/** What a client must have of a sequence: by a model that knows the whole of it. */
const expected = (sequence: MessageSequence.MessageSequence<unknown>) =>
  Effect.gen(function* () {
    const said: Array<string> = []
    const calls: Array<string> = []
    const results: Array<string> = []
    const open: Array<{ readonly call: LlmMessage.ToolCall; readonly path: string }> = []
    let [inputTokens, failed] = [0, false]
    const exit = yield* Effect.exit(
      Stream.runForEach(sequence, (promise) =>
        Effect.gen(function* () {
          const path = promise.origin?.path ?? ""
          const whole = yield* Effect.exit(promise.message)
          const aside = promise.known.aside === true
          const inside = aside && open.some((other) => path.startsWith(`${other.path}/`)) ? " inside" : ""
          if (Exit.isFailure(whole)) {
            // it was interrupted with the agent
            const text = yield* Tree.tokensOf(promise)
            if (text !== "") said.push(`${aside && inside === "" ? "reasoning" : "assistant"} ${text}${inside}`)
            return
          }
          const message = whole.value
          if (message instanceof Message.Assistant) inputTokens += message.usage?.inputTokens ?? 0
          if (message instanceof LlmMessage.ToolCall) {
            open.push({ call: message, path })
            calls.push(`${message.name}${inside}`)
          } else if (message instanceof LlmMessage.ToolResult) {
            const found = open.findLastIndex(
              ({ call, path: from }) => call.id === message.id && call.name === message.name && from === path
            )
            open.splice(found, 1)
            results.push(typeof message.result === "string" ? message.result : JSON.stringify(message.result))
          } else if (message instanceof Message.Failure || message instanceof Message.Data) {
            said.push(`activity ${message._tag}${inside}`)
          } else if (String(message) !== "") {
            const thought = message._tag === "Reasoning" || (aside && inside === "")
            said.push(`${thought ? "reasoning" : "assistant"} ${message}${inside}`)
          }
        })
      )
    )
    failed = Exit.isFailure(exit) && !Exit.hasInterrupts(exit)
    return { said, calls: calls.sort(), results: results.sort(), inputTokens, failed }
  })

/** The same of what a client has. */
const had = (messages: ReadonlyArray<AgUiMessage>) => {
  const said: Array<string> = []
  const calls: Array<string> = []
  const results: Array<string> = []
  for (const message of messages) {
    const inside = message.subagentRunId === undefined ? "" : " inside"
    if (message.role === "tool") results.push(String(message.content))
    else if (message.role === "activity") said.push(`activity ${message.activityType}${inside}`)
    else if (message.role === "reasoning") said.push(`reasoning ${message.content}${inside}`)
    else if (message.role === "assistant") {
      if (message.content !== undefined && message.content !== "") said.push(`assistant ${message.content}${inside}`)
      for (const { function: called } of message.toolCalls ?? []) {
        assert.deepStrictEqual(JSON.parse(called.arguments), { n: 1 })
        calls.push(`${called.name}${inside}`)
      }
    }
  }
  return { said, calls: calls.sort(), results: results.sort() }
}

const quiet = Effect.provide([MiniAgents.layer(), Logger.layer([])])

describe("AgUi", () => {
  it.live.prop(
    "a client has what was said, by whom and in its place, whatever the tree",
    { nodes: Tree.Nodes, end: Tree.End },
    ({ end, nodes }) =>
      Effect.gen(function* () {
        const { events, replies } = yield* Tree.eventsOf(nodes, end)
        const all = yield* told(events)
        const { complaints, errors, messages } = yield* judge(all)
        const { calls, failed, inputTokens, results, said } = yield* expected(replies)
        assert.deepStrictEqual(complaints, [])
        assert.deepStrictEqual(had(messages), { said, calls, results })
        assert.strictEqual(errors.length, failed ? 1 : 0, errors.join())
        assert.notInclude(JSON.stringify(all), "secret")
        const { outcome, type, usage } = all.at(-1)! as AgUi.AgUiEvent & {
          readonly outcome?: { readonly type: string }
          readonly usage?: ReadonlyArray<{ readonly inputTokens: number }>
        }
        assert.strictEqual(type, failed ? "RUN_ERROR" : "RUN_FINISHED")
        if (!failed) assert.strictEqual(outcome?.type, end === "interrupt" ? "cancelled" : "success")
        assert.strictEqual(usage?.reduce((sum, { inputTokens: some }) => sum + some, 0) ?? 0, inputTokens)
        const count = (name: string) => all.filter((event) => event.type === name).length
        const left = count("SUBAGENT_FINISHED") + count("SUBAGENT_ERROR")
        assert.strictEqual(count("SUBAGENT_STARTED"), left)
      }).pipe(quiet),
    60_000
  )
})
