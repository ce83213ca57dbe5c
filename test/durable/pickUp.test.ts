/** An answer that a provider goes on with while the process is gone is picked up, and not paid for again. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { MiniAgents, type Transcript } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"
import * as Loopback from "../llm/Loopback.ts"
import { completed, created, message } from "../openai/Responses.wire.ts"

const assistant = LlmAgent.make("Assistant")

/** What a reader has of the texts; what was taken back shows. */
const textOf = (events: ReadonlyArray<Transcript.Event>) =>
  events.map((event) => (event._tag === "text" ? event.text : event._tag === "reset" ? "<" : "")).join("")

/** Runs the agent in two processes, of which the first is left after a token; gives what each had read. */
const inTwoLives = (url: string) =>
  Effect.gen(function* () {
    const store = Layer.succeedContext(yield* Layer.build(Store.layerMemory))
    const model = Layer.provide(
      OpenAi.model("gpt-5.2", { api: "responses", background: true }),
      OpenAi.layer({ baseUrl: `${url}/v1` })
    )
    const app = Layer.mergeAll(
      Layer.orDie(Layer.provide(DurableRuns.layer(), store)),
      MiniAgents.layer(),
      Durable.model(model)
    )
    const live = (until: (events: ReadonlyArray<Transcript.Event>) => boolean) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(app, scope)
        const read: Array<Transcript.Event> = []
        yield* Effect.gen(function* () {
          yield* Runs.start(assistant, "Hi", {}, { id: "r" })
          const reader = yield* Effect.forkChild(
            Stream.runForEach(
              Stream.takeUntil(Runs.read("r"), (event) => {
                read.push(event)
                return until(read)
              }),
              () => Effect.void
            )
          )
          yield* Fiber.join(reader)
        }).pipe(Effect.provideContext(context))
        yield* Scope.close(scope, Exit.void)
        return textOf(read)
      })
    return [yield* live((events) => textOf(events) !== ""), yield* live(() => false)]
  }).pipe(Effect.scoped)

describe("a response in the background", () => {
  const about = { background: true }
  const said = [created(about), ...message(0, ["one", " two", " three"]), completed(about)]

  it.live("is picked up by its id after the process died, and asked for once", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((response, request, count) =>
        request.method === "POST"
          ? Loopback.stream(said.slice(0, 3), "hang")(response, request, count)
          : Loopback.stream(said)(response, request, count)
      )
      const [before = "", after] = yield* inTwoLives(server.url)
      assert.strictEqual(after, "one two three")
      assert.isTrue(before !== "" && "one two three".startsWith(before), before)
      assert.deepStrictEqual(
        server.received.map(({ method, url }) => `${method} ${url}`),
        ["POST /v1/responses", "GET /v1/responses/response-1?stream=true"]
      )
    })
  )

  it.live("is asked for again where the provider does not have it any more", () =>
    Effect.gen(function* () {
      let asked = 0
      const server = yield* Loopback.serve((response, request, count) => {
        if (request.method === "GET")
          return Loopback.answer(404, { error: { message: "gone" } })(response, request, count)
        asked++
        Loopback.stream(asked === 1 ? said.slice(0, 3) : said, asked === 1 ? "hang" : "end")(response, request, count)
      })
      const [, after] = yield* inTwoLives(server.url)
      assert.strictEqual(after, "one two three")
      assert.strictEqual(asked, 2)
    })
  )
})
