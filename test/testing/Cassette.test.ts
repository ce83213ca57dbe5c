/** Exchanges with models that are recorded once and replayed by their content, with their timing and without a network. */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Clock,
  Config,
  ConfigProvider,
  Duration,
  Effect,
  Exit,
  Fiber,
  FileSystem,
  Layer,
  Logger,
  Option,
  Redacted,
  Ref,
  Schema,
  Stream
} from "effect"
import type { Scope } from "effect"
import { AiError, EmbeddingModel, LanguageModel, Model, Tool, Toolkit } from "effect/ai"
import type { Response } from "effect/ai"
import { TestClock, TestConsole } from "effect/testing"
import { MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent, ModelSettings, Race } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { Cassette, ScriptedModel } from "miniagents/testing"
import * as Example from "../../examples/testing/cassette.ts"
import { Folder } from "../agents/Folder.ts"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as Loopback from "../llm/Loopback.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"

const { text, tokens, turn } = ScriptedModel

const test = (
  title: string,
  program: () => Effect.Effect<void, unknown, Folder | FileSystem.FileSystem | Scope.Scope>
) => it.effect(title, () => Effect.provide(Effect.scoped(program()), Folder.layer))

const secret = "sk-very-secret-0123456789"

type Models = LanguageModel.LanguageModel | Model.ModelName | Model.ProviderName

/** A model that answers with these turns, and how often it was asked. */
const scripted = (...turns: ReadonlyArray<ScriptedModel.Turn>) =>
  Effect.map(ScriptedModel.make(turns), (script) => ({
    asked: Effect.map(script.requests, (requests) => requests.length),
    layer: Layer.mergeAll(
      Layer.succeed(LanguageModel.LanguageModel, script.model),
      Layer.succeed(Model.ModelName, "m"),
      Layer.succeed(Model.ProviderName, "p")
    )
  }))

/** A model that must not be asked. */
const nobody: Layer.Layer<Models> = Layer.mergeAll(
  Layer.effect(
    LanguageModel.LanguageModel,
    LanguageModel.make({
      generateText: () => Effect.die("the network was asked"),
      streamText: () => Stream.die("the network was asked")
    })
  ),
  Layer.succeed(Model.ModelName, "m"),
  Layer.succeed(Model.ProviderName, "p")
)

/** Runs a program with a cassette in a folder of its own. */
const through =
  <A, E2>(models: Layer.Layer<A, E2>, options: Partial<Cassette.Options> = {}) =>
  <B, E, R>(program: Effect.Effect<B, E, R>) =>
    Effect.flatMap(Folder, (folder) =>
      Effect.provide(program, Cassette.layer({ folder: `${folder}/tape`, pauses: false, ...options })(models), {
        local: true
      })
    )

const auto = { mode: "auto" } as const

const files = Effect.gen(function* () {
  const folder = `${yield* Folder}/tape`
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(folder))) return []
  const names = (yield* fs.readDirectory(folder)).sort()
  return yield* Effect.forEach(names, (name) =>
    Effect.map(fs.readFileString(`${folder}/${name}`), (content) => ({ name, content, path: `${folder}/${name}` }))
  )
})

const say = (prompt: string) =>
  Effect.map(Stream.runCollect(LanguageModel.streamText({ prompt })), (parts) => parts.map(textOf).join(""))

const textOf = (part: Response.AnyPart) => (part.type === "text-delta" ? part.delta : "")

/** All the parts and how they ended. */
const hear = (prompt: string) =>
  Effect.suspend(() => {
    const parts: Array<Response.AnyPart> = []
    return LanguageModel.streamText({ prompt }).pipe(
      Stream.runForEach((part) => Effect.sync(() => parts.push(part))),
      Effect.result,
      Effect.map((result) => ({ parts, error: result._tag === "Failure" ? result.failure : undefined }))
    )
  })

const Add = Tool.make("Add", { parameters: Schema.Struct({ a: Schema.Int, b: Schema.Int }), success: Schema.Int })
const kit = Toolkit.make(Add)

const Person = Schema.Struct({ name: Schema.String, born: Schema.optionalKey(Schema.Int) })

const providers = [
  {
    name: "OpenAi",
    wire: OpenAiWire,
    at: (url: string) =>
      OpenAi.model("test-model").pipe(
        Layer.provide(OpenAi.layer({ baseUrl: `${url}/v1`, apiKey: Redacted.make(secret) }))
      )
  },
  {
    name: "Anthropic",
    wire: AnthropicWire,
    at: (url: string) =>
      Anthropic.model("test-model").pipe(
        Layer.provide(Anthropic.layer({ baseUrl: url, apiKey: Redacted.make(secret) }))
      )
  }
]

describe("Cassette", () => {
  for (const { at, name, wire } of providers) {
    test(`records what ${name} streams, calls and makes, and replays the same without it`, () =>
      Effect.gen(function* () {
        const says = [
          { reasoning: ["h", "m"], text: ["Grö", "ße 🌊"], usage: [7, 3] as const },
          { calls: [{ id: "c1", name: "Add", json: ['{"a":1,', '"b":2}'] }] },
          { text: ["is 3"] },
          { text: ['{"name":"Ada","born":1815}'] },
          { text: ["whole"] }
        ]
        const server = yield* Loopback.serve((response, request, count) =>
          Loopback.stream(wire.whole(says[count - 1] ?? { text: ["unexpected"] }))(response, request, count)
        )
        const added: Array<number> = []
        const program = Effect.gen(function* () {
          const heard = yield* hear("Hi")
          const agent = LlmAgent.make("Adder", { toolkit: kit })
          const replies = yield* Effect.flatMap(agent.trigger("1 + 2?"), (replies) => replies.text)
          const { value } = yield* LanguageModel.generateObject({ prompt: "Who?", schema: Person })
          const whole = yield* LanguageModel.generateText({ prompt: "All" })
          return { heard, replies, value, whole: [...whole.content], model: yield* Model.ModelName }
        }).pipe(
          Effect.provide([
            MiniAgents.layer(),
            kit.toLayer({ Add: ({ a, b }) => Effect.sync(() => added.push(a + b)).pipe(Effect.as(a + b)) })
          ])
        )
        const recorded = yield* program.pipe(through(at(server.url), auto))
        assert.strictEqual(server.received.length, 5)
        assert.isUndefined(recorded.heard.error)
        assert.include(recorded.replies, "is 3")
        assert.deepStrictEqual(recorded.value, { name: "Ada", born: 1815 })
        const replayed = yield* program.pipe(through(at("http://127.0.0.1:1")))
        assert.deepStrictEqual(replayed, recorded)
        assert.deepStrictEqual(added, [3, 3])
        assert.strictEqual(server.received.length, 5)
        const written = yield* files
        assert.lengthOf(written, 5)
        for (const { content } of written) {
          assert.notMatch(content, /sk-|authorization|api-key|bearer|127\.0\.0\.1/i)
          assert.include(content, '"model": "test-model"')
        }
      }))

    test(`replays how ${name} refused, and where it broke off`, () =>
      Effect.gen(function* () {
        const { content } = wire.say({ text: ["par", "tial"] })
        const server = yield* Loopback.serve((response, request, count) =>
          count === 1
            ? Loopback.answer(429, { error: { message: `slow down, ${secret}` } }, { "retry-after": "7" })(
                response,
                request,
                count
              )
            : Loopback.stream(content, "cut")(response, request, count)
        )
        const program = Effect.all([hear("Hi"), hear("Hi")])
        const recorded = yield* program.pipe(through(at(server.url), auto))
        const replayed = yield* program.pipe(through(at("http://127.0.0.1:1")))
        for (const [limited, cut] of [recorded, replayed]) {
          assert.strictEqual(limited.error?.reason._tag, "RateLimitError")
          assert.isTrue(limited.error?.isRetryable)
          assert.deepStrictEqual(limited.error?.retryAfter, Duration.seconds(7))
          assert.strictEqual(cut.parts.map(textOf).join(""), "partial")
          assert.strictEqual(cut.error?.reason._tag, "NetworkError")
        }
        assert.deepStrictEqual(
          replayed.map(({ error }) => error?.message),
          recorded.map(({ error }) => error?.message)
        )
        for (const { content } of yield* files) assert.notInclude(content, "secret")
      }))
  }

  test("replays the pauses by the Clock, or none", () =>
    Effect.gen(function* () {
      const { layer } = yield* scripted(turn(tokens(["a", "b", "c"], "1 minute"), ScriptedModel.pause("1 minute")))
      yield* settled(yield* Effect.forkChild(say("go").pipe(through(layer, auto))))
      const said = yield* Ref.make("")
      const replay = yield* LanguageModel.streamText({ prompt: "go" }).pipe(
        Stream.runForEach((part) => Ref.update(said, (text) => text + textOf(part))),
        through(nobody, { pauses: true }),
        Effect.forkChild
      )
      const reading = yield* Clock.currentTimeMillis
      while ((yield* Ref.get(said)) === "") yield* step
      assert.isAtLeast((yield* Clock.currentTimeMillis) - reading, 60_000)
      assert.strictEqual(yield* Ref.get(said), "a")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Ref.get(said), "ab")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Ref.get(said), "abc")
      assert.isUndefined(replay.pollUnsafe())
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(replay)
      assert.strictEqual(yield* say("go").pipe(through(nobody)), "abc")
    }))

  test("records how long the network took, also where a TestClock stands still", () =>
    Effect.gen(function* () {
      const { content, end, finish } = OpenAiWire.say({ text: ["a", "b"] })
      const server = yield* Loopback.serve((response) => {
        Loopback.startStream(response)
        response.write(content.slice(0, -1).join(""))
        const later = performance.now() + 30
        const rest = () =>
          performance.now() < later
            ? void setImmediate(rest)
            : void response.end([...content.slice(-1), ...finish, ...end].join(""))
        rest()
      })
      yield* say("go").pipe(through(providers[0]!.at(server.url), auto))
      const [file] = yield* files
      const last = Number(/"at":(\d+),[^\n]*\n {2}\]/.exec(file?.content ?? "")?.[1])
      assert.isAtLeast(last, 20)
    }))

  test("answers a request that is asked again with its next recording, and refuses one too many", () =>
    Effect.gen(function* () {
      const { asked, layer } = yield* scripted(turn(text("one")), turn(text("two")), turn(text("other")))
      const program = Effect.all([say("Say, please!"), say("Say, please!"), say("else")])
      assert.deepStrictEqual(yield* program.pipe(through(layer, auto)), ["one", "two", "other"])
      assert.deepStrictEqual(yield* program.pipe(through(layer, auto)), ["one", "two", "other"])
      assert.strictEqual(yield* asked, 3)
      const names = (yield* files).map(({ name }) => name)
      assert.match(names.join(), /^else-[0-9a-f]{16}-1\.json,(say-please-[0-9a-f]{16})-1\.json,\1-2\.json$/)
      const refused = yield* Effect.andThen(program, say("Say, please!")).pipe(through(nobody), Effect.flip)
      assert.include(String(refused), names[1]?.replace("-1.json", "-3.json"))
    }))

  test("refuses the network with a sentence that names the file and says how to record it", () =>
    Effect.gen(function* () {
      const folder = yield* Folder
      const refused = yield* Effect.flip(say("What is the capital of France?").pipe(through(nobody)))
      assert.instanceOf(refused, AiError.AiError)
      assert.isFalse(refused.isRetryable)
      const [, path = ""] = /`(.*)`/.exec(refused.message) ?? []
      assert.strictEqual(
        refused.message,
        `Cassette.streamText: \`${path}\` is not recorded ("What is the capital of France?"), and the network is not ` +
          "asked: run the test once with MINIAGENTS_CASSETTES=auto"
      )
      const { layer } = yield* scripted(turn(text("Paris")))
      const program = say("What is the capital of France?").pipe(through(layer))
      const recorded = Effect.provideService(
        program,
        ConfigProvider.ConfigProvider,
        ConfigProvider.fromUnknown({ MINIAGENTS_CASSETTES: "auto" })
      )
      assert.strictEqual(yield* recorded, "Paris")
      assert.deepStrictEqual(
        (yield* files).map(({ path }) => path),
        [path]
      )
      assert.isTrue(path.startsWith(`${folder}/tape/what-is-the-capital-of-france-`))
    }))

  test("needs no key to replay, and one to record", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(OpenAiWire.whole({ text: ["hi"] })))
      const model = (baseUrl?: string) =>
        Layer.provide(
          OpenAi.model("gpt"),
          baseUrl === undefined ? OpenAi.layerConfig() : OpenAi.layer({ baseUrl, apiKey: Redacted.make(secret) })
        )
      yield* say("Hi").pipe(through(model(`${server.url}/v1`), auto))
      const empty = Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({}))
      assert.strictEqual(yield* say("Hi").pipe(through(model()), empty), "hi")
      const failed = yield* say("Hi").pipe(through(model(), auto), empty, Effect.flip)
      assert.include(String(failed), "OPENAI_API_KEY")
    }))

  test("makes up keys, tokens and secrets to replay, no other setting, and none that is there", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const settings = ["ACME_KEY", "ACME_TOKEN", "ACME_SECRET", "ACME_URL", "KEY_OF_ACME", "OTHER_KEY"]
      const model = Layer.unwrap(
        Effect.map(
          Effect.forEach(settings, (name) => Effect.option(Config.String(name))),
          (found) => {
            seen.push(...found.map(Option.getOrElse(() => "missing")))
            return nobody
          }
        )
      )
      yield* Effect.void.pipe(
        through(model),
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ OTHER_KEY: "a real one" })))
      )
      const madeUp = "not-needed-to-replay"
      assert.deepStrictEqual(seen, [madeUp, madeUp, madeUp, "missing", "missing", "a real one"])
    }))

  test("knows the provider and the name of a model that is a Layer alone", () =>
    Effect.gen(function* () {
      const connected = { baseUrl: "http://127.0.0.1:1", apiKey: Redacted.make(secret) }
      const models = [
        OpenAi.layerLanguageModel("gpt").pipe(Layer.provide(OpenAi.layer(connected))),
        Anthropic.layerLanguageModel("claude").pipe(Layer.provide(Anthropic.layer(connected)))
      ]
      for (const model of models) yield* Effect.ignore(say("hi")).pipe(through(model, auto))
      const recorded = (yield* files).map(({ content }) => JSON.parse(content) as { request: Record<string, unknown> })
      assert.deepStrictEqual(
        recorded.map(({ request: { model, provider } }) => `${String(provider)} ${String(model)}`).sort(),
        ["anthropic claude", "openai gpt"]
      )
    }))

  test("asks for everything again in `record` mode, and replaces what it had", () =>
    Effect.gen(function* () {
      const { asked, layer } = yield* scripted(...["old", "old 2", "new"].map((word) => turn(text(word))))
      yield* Effect.all([say("a"), say("a")]).pipe(through(layer, auto))
      assert.strictEqual(yield* say("a").pipe(through(layer, { mode: "record" })), "new")
      assert.strictEqual(yield* asked, 3)
      assert.deepStrictEqual(yield* Effect.all([say("a"), say("a")]).pipe(through(nobody)), ["new", "old 2"])
    }))

  test("tells requests apart by everything that matters to the answer", () =>
    Effect.gen(function* () {
      const { layer } = yield* scripted(ScriptedModel.always(turn(text('{"n":1}'))))
      const toolkit = (parameters: Schema.Struct<{ a: Schema.Int | Schema.Finite }>, description?: string) =>
        Effect.provide(
          LanguageModel.generateText({
            prompt: "a",
            toolkit: Toolkit.make(Tool.make("Add", { parameters, ...(description !== undefined && { description }) }))
          }),
          Toolkit.make(Tool.make("Add", { parameters })).toLayer({ Add: () => Effect.void })
        )
      const asking: ReadonlyArray<Effect.Effect<unknown, AiError.AiError, LanguageModel.LanguageModel>> = [
        say("a"),
        say("b"),
        LanguageModel.generateText({ prompt: "a" }),
        LanguageModel.generateText({ prompt: [{ role: "system", content: "a" }] }),
        toolkit(Schema.Struct({ a: Schema.Int })),
        toolkit(Schema.Struct({ a: Schema.Finite })),
        toolkit(Schema.Struct({ a: Schema.Int }), "Adds"),
        LanguageModel.generateObject({ prompt: "a", schema: Schema.Struct({ n: Schema.Int }) }),
        LanguageModel.generateObject({ prompt: "a", schema: Schema.Struct({ n: Schema.Finite }) }),
        OpenAi.withConfig(say("a"), { temperature: 1 }),
        Anthropic.withConfig(say("a"), { max_tokens: 1 }),
        ModelSettings.withSettings(say("a"), { seed: 1 })
      ]
      yield* Effect.all(asking, { discard: true }).pipe(through(layer, auto))
      const renamed = Layer.provideMerge(Layer.succeed(Model.ModelName, "m2"), layer)
      yield* say("a").pipe(through(renamed, auto))
      const written = yield* files
      assert.deepStrictEqual(
        written.filter(({ name }) => !name.endsWith("-1.json")),
        []
      )
      assert.lengthOf(written, asking.length + 1)
    }))

  test("leaves out of the comparison what the test says", () =>
    Effect.gen(function* () {
      const { asked, layer } = yield* scripted(turn(text("noon")))
      const match = (request: Cassette.Request) =>
        JSON.parse(JSON.stringify(request).replaceAll(/\d{4}-\d\d-\d\d/g, "<date>")) as Schema.Json
      yield* say("It is 2024-01-02. Time?").pipe(through(layer, { ...auto, match }))
      assert.strictEqual(yield* say("It is 2025-03-04. Time?").pipe(through(layer, { ...auto, match })), "noon")
      assert.strictEqual(yield* asked, 1)
    }))

  test("loses nothing when many tests record into one folder at the same time", () =>
    Effect.gen(function* () {
      const { asked, layer } = yield* scripted(ScriptedModel.always(turn(tokens(["x", "y"]))))
      const prompts = ["same", "same", ...Array.from({ length: 8 }, (_, i) => `own ${i}`)]
      yield* Effect.forEach(prompts, (prompt) => say(prompt).pipe(through(layer, auto)), { concurrency: "unbounded" })
      const before = yield* asked
      const written = yield* files
      assert.lengthOf(written, before)
      assert.isTrue(written.every(({ content }) => content.endsWith("}\n")))
      yield* Effect.forEach(prompts, say, { concurrency: "unbounded" }).pipe(through(layer, auto))
    }))

  test("does not record what its reader left, says so, and keeps its place for the next request", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logged.push(String(message)))])
      const { layer } = yield* scripted(turn(tokens(["a", "b"])), turn(text("whole")), turn(text("next")))
      const some = LanguageModel.streamText({ prompt: "go" }).pipe(
        Stream.filter((part) => part.type === "text-delta"),
        Stream.take(1),
        Stream.runCollect
      )
      yield* Effect.all([some, say("go"), say("go")], { discard: true }).pipe(
        through(layer, auto),
        Effect.provide(logger)
      )
      assert.deepStrictEqual(logged, [`Not recorded, because its reader left before its end: "go"`])
      assert.lengthOf(yield* files, 2)
      const replayed = yield* Effect.all([some, say("go"), say("go")]).pipe(through(nobody))
      assert.deepStrictEqual(replayed.slice(1), ["whole", "next"])
    }))

  test("replays the winner of a race, whose loser was not recorded", () =>
    Effect.gen(function* () {
      const quick = yield* scripted(turn(text("quick")))
      const slow = yield* scripted(turn(ScriptedModel.hang))
      const folder = `${yield* Folder}/tape`
      const racing = (mode: Cassette.Mode) => {
        const [a, b] = [slow, quick].map(({ layer }, i) =>
          Cassette.layer({ folder, mode, pauses: false })(
            Layer.provideMerge(Layer.succeed(Model.ModelName, `m${i}`), layer)
          )
        )
        return Effect.provide(say("go"), Race.models([a!, b!]))
      }
      assert.strictEqual(yield* racing("auto"), "quick")
      assert.lengthOf(yield* files, 1)
      assert.strictEqual(yield* racing("strict"), "quick")
    }))

  test("records a whole response whose reader stops at its finish", () =>
    Effect.gen(function* () {
      const { layer } = yield* scripted(turn(text("all")))
      yield* LanguageModel.streamText({ prompt: "go" }).pipe(
        Stream.takeUntil((part) => part.type === "finish"),
        Stream.runDrain,
        through(layer, auto)
      )
      assert.strictEqual(yield* say("go").pipe(through(nobody)), "all")
    }))

  test("says which recordings nothing asked for", () =>
    Effect.gen(function* () {
      const { layer } = yield* scripted(turn(text("a")), turn(text("b")))
      const unused = Effect.flatMap(Cassette.Cassette, (cassette) => Effect.flip(cassette.verify))
      const used = Effect.flatMap(Cassette.Cassette, (cassette) => cassette.verify)
      yield* Effect.andThen(Effect.all([say("a"), say("b")]), used).pipe(through(layer, auto))
      const error = yield* Effect.andThen(say("a"), unused).pipe(through(nobody))
      assert.strictEqual(error._tag, "NotAllReplayed")
      const [, b] = yield* files
      assert.strictEqual(error.message, `nothing asked for \`${b?.path}\`: delete what is no longer needed`)
      yield* Effect.andThen(Effect.all([say("a"), say("b")]), used).pipe(through(nobody))
    }))

  test("says which file cannot be replayed", () =>
    Effect.gen(function* () {
      const { layer } = yield* scripted(turn(text("a")))
      yield* say("a").pipe(through(layer, auto))
      const [file] = yield* files
      for (const content of ["", "{", '{"request":{},"response":[{"at":-1,"parts":[1]}]}']) {
        yield* FileSystem.FileSystem.use((fs) => fs.writeFileString(file?.path ?? "", content))
        const error = yield* Effect.flip(say("a").pipe(through(layer, auto)))
        assert.include(String(error), `\`${file?.path}\` cannot be replayed; delete it and record it again`)
      }
    }))

  test("a recording that cannot be written fails the request", () =>
    Effect.gen(function* () {
      const { layer } = yield* scripted(turn(text("a")))
      const fs = yield* FileSystem.FileSystem
      yield* fs.writeFileString(`${yield* Folder}/tape`, "a file where the folder should be")
      const { error, parts } = yield* hear("a").pipe(through(layer, { mode: "record" }))
      assert.strictEqual(parts.map(textOf).join(""), "a")
      assert.include(error?.message, "the answer could not be recorded")
    }))

  test("records embeddings, too", () =>
    Effect.gen(function* () {
      const vectors = [
        { object: "embedding", index: 0, embedding: [0.5, 1] },
        { object: "embedding", index: 1, embedding: [1, 0] }
      ]
      const server = yield* Loopback.serve(
        Loopback.answer(200, { model: "e", data: vectors, usage: { prompt_tokens: 4, total_tokens: 4 } })
      )
      const model = (url: string) =>
        Layer.provide(
          OpenAi.embeddingModel("embed", { dimensions: 2 }),
          OpenAi.layer({ baseUrl: `${url}/v1`, apiKey: Redacted.make(secret) })
        )
      const program = Effect.gen(function* () {
        const many = yield* (yield* EmbeddingModel.EmbeddingModel).embedMany(["a", "b"])
        return { many, dimensions: yield* EmbeddingModel.Dimensions }
      })
      const recorded = yield* program.pipe(through(model(server.url), auto))
      assert.deepStrictEqual(
        recorded.many.embeddings.map(({ vector }) => vector),
        [
          [0.5, 1],
          [1, 0]
        ]
      )
      assert.deepStrictEqual(yield* program.pipe(through(model("http://127.0.0.1:1"))), recorded)
    }))

  test("keeps what was sent along with a request out of the file, also when it fails", () =>
    Effect.gen(function* () {
      const headers = { "set-cookie": secret, authorization: Redacted.make(secret) }
      const http = { response: { status: 401, headers }, body: `wrong key: ${secret}` }
      const { layer } = yield* scripted(
        turn(ScriptedModel.fail(new AiError.AuthenticationError({ kind: "InvalidKey", http }))),
        turn(
          ScriptedModel.fail(
            new AiError.NetworkError({
              reason: "TransportError",
              method: "POST",
              url: `https://user:${secret}@a.b/c?key=${secret}`,
              description: "reset",
              cause: new Error(secret)
            })
          )
        )
      )
      const program = Effect.all([hear("a"), hear("b")])
      yield* program.pipe(through(layer, auto))
      for (const { content } of yield* files) assert.notMatch(content, /secret|bearer|cookie/i)
      const [refused, reset] = yield* program.pipe(through(nobody))
      assert.strictEqual(refused.error?.reason._tag, "AuthenticationError")
      assert.deepInclude(reset.error?.reason, { url: "https://a.b/c", description: "reset" })
    }))

  test("keeps what a tool is called with as it is", () =>
    Effect.gen(function* () {
      const params = { options: {}, metadata: {}, list: [null, { http: {}, cause: 1, url: "//a@b?c" }] }
      const { layer } = yield* scripted(turn(ScriptedModel.toolCall("Any", params)))
      const anything = Toolkit.make(Tool.make("Any", { parameters: Schema.Struct({ list: Schema.Json }) }))
      const called: Array<unknown> = []
      const program = LanguageModel.generateText({
        prompt: "go",
        toolkit: anything,
        disableToolCallResolution: true
      }).pipe(
        Effect.map(({ toolCalls }) => void called.push(...toolCalls.map(({ params }) => params))),
        Effect.provide(anything.toLayer({ Any: () => Effect.void }))
      )
      yield* program.pipe(through(layer, auto))
      yield* program.pipe(through(nobody))
      assert.deepStrictEqual(called[1], called[0])
      assert.include((yield* files)[0]?.content, JSON.stringify(params))
    }))

  test("is written so that a person can read it", () =>
    Effect.gen(function* () {
      const { layer } = yield* scripted(turn(tokens(["Par", "is"]), ScriptedModel.usage(3, 2)))
      yield* say("What is the capital of France?").pipe(through(layer, auto))
      const [file] = yield* files
      assert.strictEqual(file?.content.replaceAll(/"at":\d+/g, '"at":0'), written)
    }))

  it.live("example 32 prints what its header says", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(Example.program)
      const source = yield* FileSystem.FileSystem.use((fs) =>
        fs.readFileString(fileURLToPath(new URL("../../examples/testing/cassette.ts", import.meta.url)))
      )
      const [, listed = ""] = /Prints:\n([^]*?) \*\//.exec(source) ?? []
      assert.strictEqual(`${(yield* TestConsole.logLines).join("\n")}\n`, listed.replaceAll(/^ \* {3}/gm, ""))
    }).pipe(Effect.provide([Folder.layer, TestConsole.layer]))
  )

  test("refuses to stand before what is no model", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.void.pipe(through(OpenAi.layer())))
      assert.isTrue(Exit.hasDies(exit))
      if (Exit.isFailure(exit)) assert.include(String(Cause.squash(exit.cause)), "put the cassette around the model")
    }))

  test("refuses a mode it does not know", () =>
    Effect.gen(function* () {
      const exit = yield* say("a").pipe(
        through(nobody),
        Effect.provideService(
          ConfigProvider.ConfigProvider,
          ConfigProvider.fromUnknown({ MINIAGENTS_CASSETTES: "rewind" })
        ),
        Effect.exit
      )
      assert.isTrue(Exit.hasDies(exit))
      assert.include(JSON.stringify(exit), "MINIAGENTS_CASSETTES")
    }))
})

/** Moves the clock until a fiber that reads files has ended. */
const settled = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => (fiber.pollUnsafe() === undefined ? Effect.andThen(step, settled(fiber)) : Fiber.join(fiber)))

/** Ten seconds pass, and then whatever comes from a file has time to come. */
const step = Effect.andThen(
  TestClock.adjust("10 seconds"),
  Effect.promise(() => new Promise((resume) => setImmediate(resume)))
)

const written = `{
  "request": {
    "provider": "p",
    "model": "m",
    "call": "streamText",
    "prompt": [
      {
        "role": "user",
        "content": "What is the capital of France?"
      }
    ]
  },
  "response": [
    {"at":0,"parts":[{"type":"response-metadata","id":"scripted-1","modelId":"scripted"}]},
    {"at":0,"parts":[{"type":"text-start","id":"0"}]},
    {"at":0,"parts":[{"type":"text-delta","id":"0","delta":"Par"}]},
    {"at":0,"parts":[{"type":"text-delta","id":"0","delta":"is"}]},
    {"at":0,"parts":[{"type":"text-end","id":"0"}]},
    {"at":0,"parts":[{"type":"finish","reason":"stop","usage":{"inputTokens":{"total":3},"outputTokens":{"total":2}}}]}
  ]
}
`
