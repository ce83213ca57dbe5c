/** What the recorder tells of a program, as a fold, against the tree that the program's model makes. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { Agent, Message, MessagePromise, MiniAgents, Observer } from "miniagents"
import * as AiError from "effect/ai/AiError"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { Budget, LlmAgent, LlmLogger, ModelLayer } from "miniagents/llm"
import { Cassette, ScriptedModel } from "miniagents/testing"
import * as Cassettes from "../../src/inspector/record/cassette.ts"
import { compare } from "../../src/inspector/record/compare.ts"
import { Recorder } from "../../src/inspector/watch/recorder.ts"
import { Recording } from "../../src/inspector/record/recording.ts"
import * as Requests from "../../src/inspector/watch/requests.ts"
import type { Event } from "../../src/inspector/wire.ts"
import { law } from "../laws/Law.ts"
import * as Program from "../laws/Program.ts"

/** Records what a program does in a runtime of its own, which has closed when the recording is given. */
const recorded = <A, E>(
  program: Effect.Effect<A, E, MiniAgents.MiniAgents>,
  options: MiniAgents.Options = {}
): Effect.Effect<readonly [A, Recording], E> =>
  Effect.gen(function* () {
    const recording = new Recording()
    // what is kept are texts: nothing may depend on the values being the same objects
    const tell = (event: Event) => recording.add(JSON.parse(JSON.stringify(event)) as Event)
    const recorder = new Recorder("test", yield* Clock.Clock, tell)
    const remove = LlmLogger.register(Requests.logger(recorder, tell))
    const watched = MiniAgents.layer(options).pipe(Layer.provide(Observer.layer(recorder)))
    const value = yield* Effect.ensuring(Effect.provide(program, watched), Effect.sync(remove))
    return [value, recording] as const
  })

/** A message as the model of programs spells it. */
const keyOf = (recording: Recording, at: number): string => {
  const { broken, failure, message, text } = recording.messages[at]!
  if (broken) return `${text}!${failure === undefined ? "interrupt" : `${failure.error}:${failure.reason}`}`
  if (message?._tag === "Failure")
    return `${String(message.content)}~${String(message.error)}:${String(message.reason)}`
  return message?._tag === "Data" ? String(Message.data(message.data as { readonly at: string })) : text
}

const endKey = (recording: Recording, id: number): string => {
  const end = recording.calls[id]!.spoken?.end
  return end?.is === "failed" ? `${end.failure.error}:${end.failure.reason}` : (end?.is ?? "open")
}

const features = {
  ends: ["ok", "ok", "fail", "die"],
  errorsAsMessages: ["default", "yes", "no"]
} as const

/** One step of a program: something in a span, or a call of an agent, so deep. */
const Step = Schema.Struct({ is: Schema.Literals(["span", "call"]), depth: Schema.Int, fails: Schema.Boolean })

interface Node {
  readonly name: string
  readonly is: "span" | "call"
  readonly fails: boolean
  readonly below: Array<Node>
}

/** Each step is below the last one before it that is less deep. */
const treeOf = (steps: ReadonlyArray<typeof Step.Type>): Node => {
  const root: Node = { name: "root", is: "call", fails: false, below: [] }
  const open = [root]
  for (const [i, { depth, fails, is }] of steps.entries()) {
    open.length = 1 + (Math.abs(depth) % open.length)
    const node: Node = { name: `${is} ${i}`, is, fails, below: [] }
    open.at(-1)!.below.push(node)
    open.push(node)
  }
  return root
}

/** Runs a tree; each span has an attribute and an event, and may fail, which nobody hears of. */
const spanning = ({ below, fails, is, name }: Node): Effect.Effect<void, never, MiniAgents.MiniAgents> => {
  const inside = Effect.forEach(below, spanning, { discard: true })
  if (is === "call") {
    const replies = Agent.make(name, () => inside).trigger("x")
    return Effect.asVoid(Effect.orDie(Effect.flatMap(replies, ({ messages }) => messages)))
  }
  const end = Effect.flatMap(Effect.orDie(Effect.currentSpan), (span) => {
    span.event("seen", 0n)
    return fails ? Effect.fail("no") : Effect.void
  })
  return Effect.ignore(Effect.withSpan(Effect.andThen(inside, end), name, { attributes: { step: name } }))
}

/** The tracer of a program, with what it has seen of each span: its name, that around it, how it ended, and its call. */
class Traced {
  private readonly spans: Array<Tracer.NativeSpan> = []
  readonly tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      this.spans.push(span)
      return span
    }
  })

  get seen(): ReadonlyArray<
    readonly [string, string | undefined, boolean, ReadonlyArray<unknown>, string | undefined]
  > {
    return this.spans.map((span) => {
      const above = Option.getOrUndefined(span.parent) as Tracer.Span | undefined
      let around: Tracer.Span | undefined = span
      while (around !== undefined && !around.name.startsWith("invoke_agent ")) {
        around = Option.getOrUndefined(around.parent) as Tracer.Span | undefined
      }
      assert(span.status._tag === "Ended")
      const step = span.attributes.get("step")
      const said = [...(step === undefined ? [] : [step]), ...span.events.map(([name]) => name)]
      return [span.name, above?.name, span.status.exit._tag === "Failure", said, around?.name.slice(13)]
    })
  }
}

describe("Recorder", () => {
  law(
    "the fold of what was recorded is what the readers of a program see, and its tree that of its calls",
    { root: Program.programs(features), errorsAsMessages: Schema.Boolean },
    ({ errorsAsMessages, root }) =>
      Effect.gen(function* () {
        const run = new Program.Run()
        const seen = Effect.flatMap(run.trigger(root), (replies) =>
          Effect.flatMap(Program.read(replies), Program.described)
        )
        const [expected, recording] = yield* recorded(seen, { errorsAsMessages })
        assert.deepStrictEqual(
          { elements: recording.calls[0]!.replied.map((at) => keyOf(recording, at)), end: endKey(recording, 0) },
          expected
        )
        const bodies = [...run.bodies].flatMap(([at, times]) => Array.from({ length: times }, () => at)).sort()
        const started = recording.calls.filter(({ started }) => started !== undefined)
        assert.deepStrictEqual(started.map(({ agent }) => agent.slice(1)).sort(), bodies)
        for (const { children, id, parent, path, returned, spoken } of recording.calls) {
          assert(returned !== undefined && spoken !== undefined, `${path} has ended`)
          const above = recording.calls[parent ?? -1]
          assert.strictEqual(above?.path, path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : undefined)
          assert.strictEqual(above === undefined || above.children.includes(id), true)
          const failed = children.map((child) => recording.calls[child]!)
          const below = failed.reduce(
            (sum, { failedBelow, returned }) => sum + failedBelow + (returned?.end.is === "failed" ? 1 : 0),
            0
          )
          assert.strictEqual(recording.calls[id]!.failedBelow, below, `what failed below ${path}`)
        }
        for (const { at, ended, message, text } of recording.messages) {
          assert(ended !== undefined, `message ${at} has ended`)
          if (typeof message?.content === "string" && message._tag !== "Failure")
            assert.strictEqual(text, message.content)
        }
      }),
    { seeds: 80 }
  )

  law(
    "the recording of a moment is what had been told until then",
    { root: Program.programs(features) },
    ({ root }) =>
      Effect.gen(function* () {
        const run = Effect.flatMap(new Program.Run().trigger(root), Program.read)
        const [, recording] = yield* recorded(run)
        // each event at a time of its own
        const timed = recording.events.map((event, i) => ("t" in event ? { ...event, t: i } : event))
        const whole = new Recording()
        for (const event of timed) whole.add(event)
        for (let t = 0; t < timed.length; t += 7) {
          const then = new Recording()
          for (const event of timed.slice(0, t + 1)) then.add(event)
          const { calls, messages } = whole.at(t)
          assert.deepStrictEqual({ calls, messages }, { calls: then.calls, messages: then.messages })
        }
      }),
    { seeds: 20 }
  )

  law(
    "a run is the same as itself, and a message that is another one is where two runs differ",
    { root: Program.programs({ calls: ["trigger"] }) },
    ({ root }) =>
      Effect.gen(function* () {
        const [, left] = yield* recorded(Effect.flatMap(new Program.Run().trigger(root), Program.read))
        const right = left.at(Infinity)
        const { calls } = compare(left, right)
        assert.deepStrictEqual(
          [calls.length, new Set(calls.map(({ is }) => is))],
          [left.calls.length, new Set(["same"])]
        )
        const changed = right.messages.find(({ keyed }) => keyed !== undefined)
        if (changed === undefined) return
        changed.keyed = { hashKey: "another" }
        const differing = compare(left, right).calls.flatMap(({ is, right }) => (is === "changed" ? [right] : []))
        assert.deepStrictEqual(new Set(differing), new Set([...changed.readBy, ...changed.repliedBy]))
      }),
    { seeds: 30 }
  )

  law(
    "the spans of a call are recorded with what is around them, and the tracer of a program sees the same as ever",
    { steps: Schema.Array(Step) },
    ({ steps }) =>
      Effect.gen(function* () {
        const [alone, beside] = [new Traced(), new Traced()]
        const program = spanning(treeOf(steps))
        yield* program.pipe(Effect.provide(MiniAgents.layer()), Effect.withTracer(alone.tracer))
        const [, recording] = yield* Effect.withTracer(recorded(program), beside.tracer)
        assert.deepStrictEqual(beside.seen, alone.seen)
        const told = recording.spans.map(({ attributes, call, end, name, notes, parent, ended, at }) => {
          assert(ended !== undefined && ended >= at)
          const above = recording.spans[parent ?? -1]?.name
          const said = [attributes.step, ...notes.map(({ name }) => name)].filter((said) => said !== undefined)
          return [name, above, end?.is === "failed", said, recording.calls[call]!.agent] as const
        })

        assert.deepStrictEqual(told, alone.seen)
      }),
    { seeds: 40 }
  )

  it.effect("what no tracer asked for is recorded all the same, the first spans of a call", () =>
    Effect.gen(function* () {
      const child = Agent.make("Child", (ctx) => Effect.withSpan(ctx.reply("x"), "inner"))
      const root = Agent.make("Root", (ctx) =>
        Effect.flatMap(child.trigger(), (replies) => ctx.reply(replies)).pipe(
          Effect.andThen(Effect.replicateEffect(Effect.withSpan(Effect.void, "often"), 400))
        )
      )
      const [, { calls, spans }] = yield* recorded(Effect.flatMap(root.trigger(), (replies) => replies.messages))
      assert.deepStrictEqual(
        calls.map((call) => call.spans.slice(0, 3).map((id) => spans[id]!.name)),
        [
          ["invoke_agent Root", "often", "often"],
          ["invoke_agent Child", "inner"]
        ]
      )
      assert.strictEqual(calls[0]!.spans.length, 300)
    })
  )

  it.effect.each<readonly [string, unknown]>([
    ["http.request.header.authorization", "abc"],
    ["http.request.header.cookie", "abc"],
    ["http.response.header.set-cookie", "abc"],
    ["http.request.header.x-api-key", "abc"],
    ["url.query", "q=abc"],
    ["url.full", "https://host/path?key=abc#abc"],
    ["db.address", "postgres://user:abc@host/runs"],
    ["about", "it asked https://me:abc@host/x?abc and failed"],
    ["apiKey", "abc"],
    ["openai.api_key", "abc"],
    ["accessToken", "abc"],
    ["passwords", ["abc"]],
    ["request", { headers: { Authorization: "abc" }, redacted: Redacted.make("abc") }],
    ["header", "Bearer abc"],
    ["redacted", Redacted.make("abc")]
  ])("no secret of a span is recorded: %s", ([name, value]) =>
    Effect.gen(function* () {
      const agent = Agent.make("Agent", () =>
        Effect.flatMap(Effect.currentSpan, (span) => {
          span.attribute(name, value)
          span.event("asked", 0n, { [name]: value })
          return Effect.fail(`failed at https://me:abc@host/?key=abc`)
        }).pipe(Effect.orDie, Effect.withSpan("secret https://me:abc@host"), Effect.ignoreCause)
      )
      const [, { events, spans }] = yield* recorded(Effect.flatMap(agent.trigger(), (replies) => replies.messages))
      assert.hasAllKeys(spans[1]!.attributes, [name])
      assert.hasAllKeys(spans[1]!.notes[0]!.attributes, [name])
      assert.notInclude(JSON.stringify(events), "abc")
    })
  )

  it.effect("counts, places and short texts on spans are shown as they are", () =>
    Effect.gen(function* () {
      const attributes = {
        "gen_ai.usage.input_tokens": 7,
        "url.path": "/v1/x",
        "server.address": "host",
        "is.cached": true
      }
      const agent = Agent.make("Agent", () => Effect.withSpan(Effect.void, "asks", { attributes, kind: "client" }))
      const [, { spans }] = yield* recorded(Effect.flatMap(agent.trigger(), (replies) => replies.messages))
      assert.deepInclude(spans[1], { attributes, kind: "client", name: "asks", parent: 0 })
    })
  )

  it.effect(
    "a message that many pass on is recorded once, with who made it, who was sent it and who passed it on",
    () =>
      Effect.gen(function* () {
        const author = Agent.make("Author", (ctx) => ctx.reply("hello"))
        const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))
        const program = author.trigger().pipe(
          Effect.flatMap((replies) => relay.trigger(replies)),
          Effect.flatMap((replies) => relay.trigger(replies)),
          Effect.flatMap((replies) => replies.text)
        )
        const [, { calls, messages }] = yield* recorded(program)
        assert.deepStrictEqual(
          calls.map(({ agent }) => agent),
          ["Author", "Relay", "Relay"]
        )
        assert.strictEqual(messages.length, 1)
        const [{ by, keyed, readBy, repliedBy, text }] = messages as [Recording["messages"][number]]
        assert.deepStrictEqual([by, text, [...readBy].sort(), [...repliedBy].sort()], [0, "hello", [1, 2], [0, 1, 2]])
        assert.strictEqual(keyed!.hashKey, Message.text("hello").hashKey)
      })
  )

  it.effect("what is redacted stays so", () =>
    Effect.gen(function* () {
      class Login extends Message.Class<Login>()("Login", { key: Schema.Redacted(Schema.String) }) {}
      const agent = Agent.make("Agent", { parameters: { key: Schema.Redacted(Schema.String) } }, (ctx) =>
        ctx.reply(new Login({ key: ctx.parameters.key }))
      )
      const program = Effect.flatMap(
        agent.trigger("x", { key: Redacted.make("very secret") }),
        (replies) => replies.messages
      )
      const [, recording] = yield* recorded(program)
      assert.notInclude(JSON.stringify(recording.events), "very secret")
      assert.deepStrictEqual(recording.calls[0]!.parameters, { key: "<redacted>" })
      assert.strictEqual(recording.messages.at(-1)?.message?.key, "<redacted>")
    })
  )

  it.effect("tokens are told when they are looked for, and all of them before the message ends", () =>
    Effect.gen(function* () {
      const events: Array<Event> = []
      const recorder = new Recorder("test", yield* Clock.Clock, (event) => events.push(event))
      const agent = Agent.make("Agent", (ctx) =>
        Effect.flatMap(MessagePromise.fromStream(Stream.concat(Stream.make("a", "b"), Stream.never)), (promise) =>
          ctx.reply(promise)
        )
      )
      yield* Effect.gen(function* () {
        const replies = yield* agent.trigger("question")
        assert.isDefined(replies)
        for (let i = 0; i < 50; i++) yield* Effect.yieldNow
        const texts = () => events.flatMap((event) => (event._tag === "text" ? [event.text] : []))
        assert.deepStrictEqual(texts(), [])
        recorder.poll()
        assert.deepStrictEqual(texts(), ["ab"])
        return yield* Effect.fail("over")
      }).pipe(Effect.provide(MiniAgents.layer().pipe(Layer.provide(Observer.layer(recorder)))), Effect.ignore)
      assert.include(
        events.map(({ _tag }) => _tag),
        "broken"
      )
    })
  )

  it.effect("a test plays what models answered from the cassette of a recording, also what was made again", () =>
    Effect.gen(function* () {
      const { fail, text, tokens, toolCall, turn, usage } = ScriptedModel
      const add = Tool.make("Add", { parameters: Schema.Struct({ n: Schema.Int }), success: Schema.Int })
      const toolkit = Toolkit.make(add)
      const adder = LlmAgent.make("Adder", { system: "Add", toolkit })
      const clerk = LlmAgent.makeObject("Clerk", { schema: Schema.Struct({ sum: Schema.Int }) })
      const program = Effect.gen(function* () {
        const sum = yield* adder.trigger("one and one", { temperature: 0 })
        return [
          yield* sum.text,
          String((yield* (yield* clerk.trigger(sum)).messages)[0]).replaceAll(/\s/g, ""),
          yield* (yield* adder.trigger("again")).text
        ]
      }).pipe(Effect.provide(toolkit.toLayer({ Add: ({ n }) => Effect.succeed(n + 1) })))
      const busy = new AiError.RateLimitError({})
      const model = ScriptedModel.layer(
        [
          turn(fail(busy)),
          turn(toolCall("Add", { n: 1 }), usage(7, 2)),
          turn(tokens(["It is ", "two"], 0), usage(9, 3)),
          turn(text(`{"sum":2}`), usage(9, 3)),
          turn(text("again"), usage(9, 3))
        ],
        { name: "small" }
      ).pipe(ModelLayer.retry({ delay: 0 }))
      const [said, recording] = yield* recorded(Effect.provide(program, model))
      assert.deepStrictEqual(said, ["It is two", '```json{"sum":2}```', "again"])
      assert.deepStrictEqual(
        recording.requests.map(({ lost }) => lost.map(({ error, event }) => [event, error])),
        [[["model.retry", "RateLimitError"]], [], [], []]
      )
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "miniagents-cassette-"))
      fs.writeFileSync(path.join(folder, "cassette.tar"), Cassettes.tar(Cassettes.files(recording)))
      assert.strictEqual(spawnSync("tar", ["xf", "cassette.tar"], { cwd: folder }).status, 0)
      const played = Cassette.layer({ folder: path.join(folder, "cassette"), pauses: false })(
        ScriptedModel.layer([], { name: "small" })
      )
      const again = Effect.gen(function* () {
        const said = yield* program
        yield* (yield* Cassette.Cassette).verify
        return said
      })
      const heard = yield* again.pipe(
        Effect.provide([played, MiniAgents.layer()]),
        Effect.provide(NodeFileSystem.layer)
      )
      fs.rmSync(folder, { recursive: true })
      assert.deepStrictEqual(heard, said)
    })
  )

  it.effect("a request to a model has its prompt, its usage, its price and the call that made it", () =>
    Effect.gen(function* () {
      const { text, turn, usage } = ScriptedModel
      const model = ScriptedModel.layer([turn(text("fine"), usage(10, 2))], { name: "small" })
      const poet = LlmAgent.make("Poet", { system: "Be brief" })
      const program = Effect.flatMap(poet.trigger("How are you?"), (replies) => replies.text).pipe(
        Effect.provide(model),
        Effect.provideService(Budget.CurrentPrice, ({ outputTokens }) => outputTokens * 2)
      )
      const [, recording] = yield* recorded(program)
      assert.strictEqual(recording.requests.length, 1)
      const [request] = recording.requests
      assert.strictEqual(recording.calls[request!.call]!.agent, "Poet")
      assert.include(JSON.stringify(request!.prompt), "How are you?")
      assert.deepInclude(request, { model: "small", cost: 4, reason: "stop" })
      assert.deepInclude(request!.usage, { inputTokens: 10, outputTokens: 2 })
      assert.strictEqual(request!.answered?.end.is, "ok")
    })
  )
})
