/** The answers of OpenAI's APIs as pure folds of a transcript, with the accumulators of the official client as judges. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type MessageSequence, MiniAgents, Transcript } from "miniagents"
import { OpenAiApi } from "miniagents/serve"
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream"
import { ResponseStream } from "openai/lib/responses/ResponseStream"
import { law } from "../laws/Law.ts"
import * as Program from "../laws/Program.ts"
import * as Talk from "./Talk.ts"

type Sequence = MessageSequence.MessageSequence<unknown>
type Events = ReadonlyArray<OpenAiApi.ResponseEvent>

const head = { id: `resp_${"0".repeat(32)}.m`, created: 1, model: "m" }

const transcript = (sequence: Sequence) => Transcript.encode(sequence as MessageSequence.MessageSequence<never>)
const responseEvents = (sequence: Sequence, after?: number): Effect.Effect<Events> =>
  Stream.runCollect(OpenAiApi.toResponseEvents(transcript(sequence), head, { after }))

/** What the official client makes of what it gets. */
const judged = <A>(judge: (lines: ReadableStream) => Promise<A>, sent: ReadonlyArray<unknown>) =>
  Effect.promise(() => {
    const bytes = new TextEncoder().encode(sent.map((each) => `${JSON.stringify(each)}\n`).join(""))
    return judge(new Blob([bytes]).stream())
  })
const completion = (chunks: ReadonlyArray<unknown>) =>
  judged((lines) => ChatCompletionStream.fromReadableStream(lines).finalChatCompletion(), chunks)
const response = (events: Events) => judged((lines) => ResponseStream.fromReadableStream(lines).finalResponse(), events)

/** Events without how their texts were cut. */
const joined = (events: Events): ReadonlyArray<Schema.Json> =>
  events.reduce<ReadonlyArray<OpenAiApi.ResponseEvent>>((had, event) => {
    const last = had.at(-1)
    if (!event.type.endsWith(".delta") || last?.type !== event.type) return [...had, event]
    return [...had.slice(0, -1), { ...event, delta: `${String(last.delta)}${String(event.delta)}` }]
  }, [])

const talks = Arbitrary.schema(Talk.Talk)

/** A property of random talks that asks a client, which has promises of its own. */
const property = (title: string, check: (sequence: Sequence) => Effect.Effect<void, unknown>) =>
  it.live(title, () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 40; seed++) {
        const result = yield* Arbitrary.checkEffect(
          talks,
          (talk) =>
            Effect.as(
              Effect.sandbox(Effect.flatMap(Talk.replies(talk), check).pipe(Effect.provide(MiniAgents.layer()))),
              true
            ),
          { seed, runs: 1, size: 2 + (seed % 12) }
        )
        const failure = Arbitrary.formatCheckFailure(result)
        if (failure !== undefined) assert.fail(failure)
      }
    })
  )

describe("OpenAiApi.toChunks", () => {
  property("the client makes the text of the replies of it, and the calls that it is to make", (sequence) =>
    Effect.gen(function* () {
      const chunks = yield* Stream.runCollect(OpenAiApi.toChunks(transcript(sequence), head, { usage: true }))
      const { choices, usage } = yield* completion(chunks)
      const messages = yield* sequence.messages
      const calls = messages.filter((message) => "clientExecuted" in message)
      assert.strictEqual(choices[0].message.content ?? "", yield* sequence.text)
      assert.deepStrictEqual(
        (choices[0].message.tool_calls ?? []).map(({ id }) => id),
        calls.map((call) => ("id" in call ? call.id : ""))
      )
      assert.strictEqual(choices[0].finish_reason, calls.length > 0 ? "tool_calls" : "stop")
      const used = messages.map((message) =>
        "usage" in message ? (message.usage as { outputTokens: number }).outputTokens : 0
      )
      assert.strictEqual(
        usage?.completion_tokens,
        used.reduce((sum, each) => sum + each, 0)
      )
    })
  )
})

describe("OpenAiApi.toResponseEvents", () => {
  property("the client makes one output of each message that is said, and of nothing else", (sequence) =>
    Effect.gen(function* () {
      const { output, status } = yield* response(yield* responseEvents(sequence))
      assert.strictEqual(status, "completed")
      const said = output.flatMap((item) => (item.type === "message" ? [item] : []))
      const texts = said.map(({ content: [part] }) => (part.type === "output_text" ? part.text : ""))
      assert.strictEqual(texts.join("\n\n"), yield* sequence.text)
      const thoughts = output.filter(({ type }) => type === "reasoning").length
      const calls = output.filter(({ type }) => type === "function_call").length
      assert.strictEqual(output.length, said.length + thoughts + calls)
    })
  )

  law(
    "a reader that was cut after any event goes on exactly there, however the text is cut then",
    { talk: Talk.Talk },
    ({ talk }) =>
      Effect.gen(function* () {
        const sequence = yield* Talk.replies(talk)
        const live = yield* responseEvents(sequence) // while it fills up
        const whole = joined(live)
        assert.deepStrictEqual(joined(yield* responseEvents(sequence)), whole)
        for (const [i, { sequence_number }] of live.entries()) {
          const rest = yield* responseEvents(sequence, sequence_number)
          assert.deepStrictEqual(joined([...live.slice(0, i + 1), ...rest]), whole)
        }
      }).pipe(Effect.provide(MiniAgents.layer())),
    { seeds: 60 }
  )

  law(
    "numbers grow, and whatever fails or is interrupted is said as such, after all that came before it",
    { root: Program.programs({ ends: ["ok", "ok", "fail", "die", "interrupt"], modes: ["reply", "replyOutOfOrder"] }) },
    ({ root }) =>
      Effect.gen(function* () {
        const sequence = yield* new Program.Run().trigger(root)
        const text = yield* Effect.exit(sequence.text)
        const events = yield* responseEvents(sequence)
        const numbers = events.map(({ sequence_number }) => sequence_number)
        assert.deepStrictEqual(
          numbers,
          [...new Set(numbers)].sort((one, other) => one - other)
        )
        const { status } = events.at(-1)!.response as { readonly status: string }
        assert.strictEqual(status === "completed", Exit.isSuccess(text))
        const chunks = yield* Stream.runCollect(OpenAiApi.toChunks(transcript(sequence), head))
        assert.strictEqual("error" in (chunks.at(-1) as object), Exit.isFailure(text))
        const said = chunks.flatMap((chunk) => {
          const { choices } = chunk as { readonly choices?: ReadonlyArray<{ readonly delta: { content?: string } }> }
          return choices?.[0]?.delta.content ?? []
        })
        if (Exit.isSuccess(text)) assert.strictEqual(said.join(""), text.value)
      }).pipe(Effect.provide(MiniAgents.layer())),
    { seeds: 100 }
  )

  it.effect("what is taken back is said, and is not in what is read afterwards", () =>
    Effect.gen(function* () {
      const open = (at: number): Transcript.Event => ({ _tag: "open", at, known: { _tag: "Text" } })
      const text = (at: number, to: number, said: string): Transcript.Event => ({ _tag: "text", at, to, text: said })
      const message = (at: number): Transcript.Event => ({
        _tag: "message",
        at,
        message: { _tag: "Text" },
        hashKey: ""
      })
      const events = [open(0), text(0, 3, "one"), { _tag: "reset", at: 0, to: 1 }, text(0, 2, "k"), message(0)] as const
      const all = Stream.fromIterable<Transcript.Event>([...events, { _tag: "end" }])
      const given = yield* Stream.runCollect(OpenAiApi.toResponseEvents(all, head))
      assert.deepInclude(given.at(-1), { type: "error", code: "Reset" })
      const chunks = yield* Stream.runCollect(OpenAiApi.toChunks(all, head))
      assert.deepInclude((chunks.at(-1) as { readonly error: object }).error, { code: "Reset" })
    })
  )
})
