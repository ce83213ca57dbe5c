import { assert, describe, it } from "@effect/vitest"
import { asSchema, readUIMessageStream, type UIMessage, type UIMessageChunk, uiMessageChunkSchema } from "ai"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Message, type MessageSequence, MiniAgents, Transcript } from "miniagents"
import { LlmMessage } from "miniagents/llm"
import { AiSdk } from "miniagents/serve"
import * as Tree from "./Tree.ts"

const chunksOf = (events: ReadonlyArray<Transcript.Event>) =>
  Stream.runCollect(AiSdk.encode(Stream.fromIterable(events), { messageId: "a1" }))

/** What the AI SDK makes of chunks, and what it complains about. */
const judge = (chunks: ReadonlyArray<AiSdk.Chunk>) =>
  Effect.promise(async () => {
    const schema = asSchema(uiMessageChunkSchema)
    const errors: Array<string> = []
    const valid: Array<UIMessageChunk> = []
    for (const chunk of chunks) {
      const result = await schema.validate!(JSON.parse(JSON.stringify(chunk)))
      if (result.success) valid.push(result.value)
      else errors.push(`${JSON.stringify(chunk)}: ${result.error.message}`)
    }
    let message: UIMessage = { id: "", role: "assistant", parts: [] }
    const stream = new ReadableStream<UIMessageChunk>({
      start(controller) {
        for (const chunk of valid) controller.enqueue(chunk)
        controller.close()
      }
    })
    const onError = (error: unknown) => void errors.push((error as Error).message)
    for await (const state of readUIMessageStream({ stream, onError })) message = state
    return { message, errors }
  })

type Part = Readonly<Record<string, unknown>>

/** What a page must show of a sequence: by a model that knows the whole of it. */
const expected = (sequence: MessageSequence.MessageSequence<unknown>) =>
  Effect.gen(function* () {
    const parts: Array<Part> = []
    const open: Array<{ readonly call: LlmMessage.ToolCall; readonly path: string; readonly at: number }> = []
    let inputTokens = 0
    const exit = yield* Effect.exit(
      Stream.runForEach(sequence, (promise) =>
        Effect.gen(function* () {
          const path = promise.origin?.path ?? ""
          const whole = yield* Effect.exit(promise.message)
          const aside = promise.known.aside === true
          if (Exit.isFailure(whole)) {
            // it was interrupted with the agent
            const said = yield* Tree.tokensOf(promise)
            if (said !== "") parts.push({ type: aside ? "reasoning" : "text", text: said, state: "done" })
            return
          }
          const message = whole.value
          if (message instanceof Message.Assistant) inputTokens += message.usage?.inputTokens ?? 0
          if (message instanceof LlmMessage.ToolCall) {
            open.push({ call: message, path, at: parts.length })
            parts.push({ type: `tool-${message.name}`, state: "input-available" })
          } else if (message instanceof LlmMessage.ToolResult) {
            const found = open.findLastIndex(
              ({ call, path: from }) => call.id === message.id && call.name === message.name && from === path
            )
            const [{ at }] = open.splice(found, 1) as [(typeof open)[0]]
            const { result } = message
            const denied = Schema.is(Schema.Struct({ type: Schema.Literal("execution-denied") }))(result)
            parts[at] = !message.isFailure
              ? { ...parts[at], state: "output-available", output: result }
              : denied
                ? { ...parts[at], state: "output-denied" }
                : { ...parts[at], state: "output-error", errorText: JSON.stringify(result) }
          } else if (message instanceof Message.Failure) {
            parts.push({ type: "data-Failure", error: message.error, reason: message.reason })
          } else if (message instanceof Message.Data) parts.push({ type: "data-Data", data: message.data })
          else if (String(message) !== "") {
            const shown = aside || message._tag === "Reasoning"
            parts.push({ type: shown ? "reasoning" : "text", text: String(message), state: "done" })
          }
        })
      )
    )
    const failed = Exit.isFailure(exit) && !Exit.hasInterrupts(exit)
    for (const { at } of failed ? open : []) parts[at] = { ...parts[at], state: "output-error" }
    return { parts, failed, inputTokens }
  })

/** The fields of the parts of a message that a page shows. */
const shown = (message: UIMessage, failed: boolean): ReadonlyArray<Part> =>
  message.parts.flatMap((part): ReadonlyArray<Part> => {
    const { data, errorText, output, state, text, type } = part as unknown as Part
    if (type === "step-start") return []
    if (type === "text" || type === "reasoning") return [{ type, text, state }]
    if (type === "data-Failure") {
      const { error, reason } = data as Part
      return [{ type, error, reason }]
    }
    if (type === "data-Data") return [{ type, data }]
    const given = state === "output-available" ? { output } : {}
    const wrong = state === "output-error" && !(failed && errorText !== `{"wrong":true}`) ? { errorText } : {}
    return [{ type, state, ...given, ...wrong }]
  })

/** An offset that is not in the middle of a surrogate pair. */
const whole16 = (text: string, offset: number): number =>
  /[\uDC00-\uDFFF]/.test(text.charAt(offset)) ? offset + 1 : offset

const quiet = Effect.provide([MiniAgents.layer(), Logger.layer([])])

describe("AiSdk", () => {
  it.live.prop(
    "a page shows what was said, in its place, whatever the tree",
    { nodes: Tree.Nodes, end: Tree.End },
    ({ end, nodes }) =>
      Effect.gen(function* () {
        const { events, replies } = yield* Tree.eventsOf(nodes, end)
        const chunks = yield* chunksOf(events)
        const { errors, message } = yield* judge(chunks)
        const { failed, inputTokens, parts } = yield* expected(replies)
        assert.deepStrictEqual(shown(message, failed), parts)
        assert.strictEqual(message.id, "a1")
        assert.strictEqual(errors.length, failed ? 1 : 0, errors.join())
        assert.notInclude(JSON.stringify(chunks), "secret")
        assert.strictEqual(
          (message.metadata as { usage: { inputTokens?: number } }).usage.inputTokens ?? 0,
          inputTokens
        )
        const steps = (type: string) => chunks.filter((chunk) => chunk.type === type).length
        assert.strictEqual(steps("start-step"), steps("finish-step"))
      }).pipe(quiet),
    60_000
  )

  it.live.prop(
    "what is taken back is gone, and what comes in its place stands there",
    { nodes: Tree.Nodes, cut: Schema.Int, place: Schema.Int },
    ({ cut, nodes, place }) =>
      Effect.gen(function* () {
        const { events, replies } = yield* Tree.eventsOf(nodes)
        const whole = (yield* judge(yield* chunksOf(events))).message
        const at = Math.abs(cut) % events.length
        const had = events.slice(0, at).filter((event) => "at" in event)
        if (had.length === 0) return
        const texts = had.flatMap((event) => (event._tag === "text" ? [event] : []))
        const [text, other] = [texts.at(-1), had[Math.abs(place) % had.length]]
        const reset: Transcript.Event =
          text !== undefined && place % 3 !== 0
            ? { _tag: "reset", at: text.at, to: whole16(text.text, 1 + (Math.abs(place) % text.to)) }
            : { _tag: "reset", at: other.at, to: 0 }
        const from = Transcript.after(undefined, reset)
        const again = yield* Stream.runCollect(Transcript.encode(replies, { from }))
        const { errors, message } = yield* judge(yield* chunksOf([...had, reset, ...again]))
        // what stands in a step that is over cannot be taken back
        if (errors.length > 0) assert.match(errors.join(), /^The run began anew/)
        else assert.deepStrictEqual(message.parts, whole.parts)
      }).pipe(quiet),
    60_000
  )
})
