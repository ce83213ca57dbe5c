/**
 * Records what models answer, once, and replays it: with its timing, by the content of the request, without the network
 * and without a key. A recording is a JSON file that is committed with the test and read in a review.
 *
 * **When to use**
 *
 * For tests of what a real model says: prompts, tools, parsing. A `ScriptedModel` is for tests of what an agent does
 * with an answer that the test makes up.
 *
 * **Details**
 *
 * A test that has no recordings yet is run once with the environment variable `MINIAGENTS_CASSETTES=auto`, which asks
 * the network for what was not recorded; `record` asks for everything again. Without it nothing is asked: a request that
 * was not recorded fails with a sentence that names its file.
 *
 * The folder of a cassette has one file for each exchange, named by what was asked, by a hash of the whole request and
 * by how often it was asked before. Each is written in one step, when the response has ended or has failed, so that
 * tests may record into the same folder at the same time. What a reader left before its end is not recorded, which is
 * logged. Headers and keys are in no recording.
 *
 * **Gotchas**
 *
 * Pauses are kept by the Clock: under a `TestClock`, as in `it.effect`, nothing comes until it is moved. Turn them off
 * with `pauses: false` where a test is not about time.
 *
 * **Example**
 *
 * ```ts
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { assert, it } from "@effect/vitest"
 * import { Effect, Layer } from "effect"
 * import { MiniAgents } from "miniagents"
 * import { LlmAgent } from "miniagents/llm"
 * import { OpenAi } from "miniagents/openai"
 * import { Cassette } from "miniagents/testing"
 *
 * const model = OpenAi.model("gpt-5.2").pipe(
 *   Layer.provide(OpenAi.layerConfig()), // needs a key only where something is recorded
 *   Cassette.layer({ folder: "test/cassettes/capital", pauses: false }),
 *   Layer.provide(NodeFileSystem.layer)
 * )
 *
 * it.effect("knows capitals", () =>
 *   Effect.gen(function*() {
 *     const replies = yield* LlmAgent.make("Geographer").trigger("What is the capital of France?")
 *     assert.include(yield* replies.text, "Paris")
 *     yield* (yield* Cassette.Cassette).verify // every recording is still asked for
 *   }).pipe(Effect.provide([model, MiniAgents.layer()])))
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import * as Exchange from "../llm/model/exchange.ts"
import * as Recording from "./recording.ts"

/**
 * How a cassette answers a request: `strict` replays it or refuses it, `auto` replays it or asks the network and
 * records the answer, and `record` asks for everything again.
 *
 * @since 0.1.0
 * @category models
 */
export const Mode: Schema.Literals<readonly ["strict", "auto", "record"]> = Schema.Literals([
  "strict",
  "auto",
  "record"
])

/**
 * @since 0.1.0
 * @category models
 */
export type Mode = (typeof Mode)["Type"]

/**
 * Where the recordings are, and how they are used.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The folder of the recordings, made when the first is written. */
  readonly folder: string
  /**
   * How requests are answered. The environment variable `MINIAGENTS_CASSETTES` overrides it.
   *
   * @default "strict"
   */
  readonly mode?: Mode
  /**
   * Whether a replay keeps the pauses of the recording, by the Clock.
   *
   * @default true
   */
  readonly pauses?: boolean
  /** The part of a request that is compared, for prompts that hold a date or an id; all of it by default. */
  readonly match?: (request: Request) => Schema.Json
}

/**
 * A request as it is recorded and compared, without what says nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly [field: string]: Schema.Json
  readonly call: "streamText" | "generateText" | "generateObject" | "embedMany"
}

/**
 * Recordings that nobody asked for.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotAllReplayed extends Schema.TaggedError<NotAllReplayed>()("NotAllReplayed", {
  folder: Schema.String,
  /** The paths of their files. */
  files: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `nothing asked for ${this.files.map((file) => `\`${file}\``).join(", ")}: delete what is no longer needed`
  }
}

/**
 * The questions that a test can ask a cassette.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recordings {
  /** The files of the folder that were neither replayed nor written through this cassette. */
  readonly unused: Effect.Effect<ReadonlyArray<string>, PlatformError>
  /** Fails when there are such files. For a folder that belongs to one test, at its end. */
  readonly verify: Effect.Effect<void, NotAllReplayed | PlatformError>
}

/**
 * The cassette that stands before the models, for a test that looks at what was used of it.
 *
 * @since 0.1.0
 * @category services
 */
export class Cassette extends Context.Service<Cassette, Recordings>()("miniagents/testing/Cassette") {}

/**
 * Puts a cassette before the language model and the embedding model of a Layer, whichever it has.
 *
 * **When to use**
 *
 * To test against what a real model has said, without a key and without the network. What you make up yourself is a
 * `ScriptedModel`.
 *
 * **Details**
 *
 * Requests are told apart by the provider and the name of the model, the prompt, the tools, the schema and the kind of
 * call, and by what `OpenAi.withConfig`, `Anthropic.withConfig` and the settings of a call change. A request that is asked again gets the next of
 * its recordings. Tools are no part of a recording: a replayed call runs its tool.
 *
 * In `strict` mode the Layer is built, but not asked. What it wants from the configuration and ends in `KEY`, `TOKEN` or
 * `SECRET` may be missing then.
 *
 * **Gotchas**
 *
 * What a model was made with besides its name, such as a temperature, is not seen: record again when that changes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer =
  (options: Options) =>
  <A, E, R>(models: Layer.Layer<A, E, R>): Layer.Layer<A | Cassette, E, R | FileSystem.FileSystem> =>
    Layer.effectContext(
      Effect.gen(function* () {
        const mode = yield* modeOf(options)
        const config = yield* ConfigProvider.ConfigProvider
        const context = yield* Effect.provideService(
          Layer.build(models),
          ConfigProvider.ConfigProvider,
          mode === "strict" ? ConfigProvider.orElse(config, withoutKeys) : config
        )
        const deck = new Deck(yield* FileSystem.FileSystem, mode, options)
        const own = Context.make(Cassette, { unused: deck.unused, verify: deck.verify })
        const wrapped = yield* wrap(deck, context as Context.Context<never>)
        return Context.merge(Context.merge(context, own), wrapped) as Context.Context<A | Cassette>
      })
    )

const modeVariable = "MINIAGENTS_CASSETTES"

const modeOf = ({ mode = "strict" }: Options): Effect.Effect<Mode> =>
  Config.schema(Mode, modeVariable).pipe(Config.withDefault<Mode>(mode), Effect.orDie)

/** What nobody asks the network with needs no real key. */
const withoutKeys = ConfigProvider.make((path) =>
  Effect.succeed(
    /(KEY|TOKEN|SECRET)$/i.test(String(path.at(-1))) ? ConfigProvider.makeValue("not-needed-to-replay") : undefined
  )
)

/** The models of a context, with the deck before them. */
const wrap = (deck: Deck, context: Context.Context<never>): Effect.Effect<Context.Context<never>> =>
  Effect.gen(function* () {
    const find = <I, S>(key: Context.Key<I, S>) => Option.getOrUndefined(Context.getOption(context, key))
    const names = { provider: find(Model.ProviderName), model: find(Model.ModelName) }
    const play: Exchange.Play = (request, live) =>
      Stream.unwrap(
        Effect.map(Exchange.changes, (config) => deck.play(plain({ ...names, ...config, ...request }), live))
      )
    const language = find(LanguageModel.LanguageModel)
    const embedding = find(EmbeddingModel.EmbeddingModel)
    const added: Array<Context.Context<never>> = []
    if (language !== undefined)
      added.push(Context.make(LanguageModel.LanguageModel, yield* Exchange.languageModel(language, play)))
    if (embedding !== undefined)
      added.push(Context.make(EmbeddingModel.EmbeddingModel, yield* Exchange.embeddingModel(embedding, play)))
    if (added.length > 0) return Context.mergeAll(...added)
    return yield* Effect.die(
      new Error("the Layer has neither a LanguageModel nor an EmbeddingModel: put the cassette around the model itself")
    )
  })

/** As it will be read from a file. */
const plain = (request: object) => JSON.parse(JSON.stringify(request)) as Request

/**
 * The recordings of a folder as one test uses them. Invariants:
 * 1. A recording answers one request, unless the reader left before its end: then it is there for the next one.
 * 2. A file is there as a whole or not at all, and no recording replaces another one, except in `record` mode the one
 *    for the same request.
 */
class Deck {
  private readonly fs: FileSystem.FileSystem
  private readonly mode: Mode
  private readonly options: Options
  /** The recordings that have answered a request, or are about to. */
  private readonly taken = new Set<string>()
  /** Those that were replayed or written. */
  private readonly used = new Set<string>()

  constructor(fs: FileSystem.FileSystem, mode: Mode, options: Options) {
    this.fs = fs
    this.mode = mode
    this.options = { ...options, folder: options.folder.replace(/[\\/]+$/, "") }
  }

  readonly play = (request: Request, live: Exchange.Parts): Exchange.Parts =>
    Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const name = Recording.nameOf(this.options.match?.(request) ?? request)
        const failed = (description: string) => failure(request, description)
        if (this.mode === "record") return this.record(name, request, live)
        const file = yield* this.take(name).pipe(Effect.mapError(unreadable(failed, this.options.folder)))
        if (file !== undefined) return this.replay(file, failed)
        if (this.mode === "auto") return this.record(name, request, live)
        const path = this.pathOf(name, this.free(name))
        return yield* failed(
          `\`${path}\` is not recorded ("${Recording.preview(request)}"), and the network is not asked: ` +
            `run the test once with ${modeVariable}=auto`
        )
      })
    )

  readonly unused = Effect.gen({ self: this }, function* () {
    const { folder } = this.options
    if (!(yield* this.fs.exists(folder))) return []
    const files = (yield* this.fs.readDirectory(folder)).filter((file) => file.endsWith(".json")).sort()
    return files.map((file) => `${folder}/${file}`).filter((path) => !this.used.has(path))
  })

  readonly verify = Effect.flatMap(this.unused, (files) =>
    files.length === 0 ? Effect.void : Effect.fail(new NotAllReplayed({ folder: this.options.folder, files }))
  )

  private pathOf(name: string, number: number): string {
    return `${this.options.folder}/${name}-${number}.json`
  }

  /** The first number of this request that has not answered yet. */
  private free(name: string): number {
    let number = 1
    while (this.taken.has(this.pathOf(name, number))) number++
    return number
  }

  /** The next recording of a request, if there is one. */
  private take(name: string): Effect.Effect<string | undefined, PlatformError> {
    return Effect.suspend(() => {
      const path = this.pathOf(name, this.free(name))
      this.taken.add(path) // before anything is waited for: the same may be asked at the same time
      return this.fs.exists(path).pipe(
        Effect.map((exists) => (exists ? path : undefined)),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (exit._tag === "Failure" || exit.value === undefined) this.taken.delete(path)
          })
        )
      )
    })
  }

  private replay(path: string, failed: Failed): Exchange.Parts {
    let whole = false
    const moments = Effect.gen({ self: this }, function* () {
      this.used.add(path)
      const text = yield* this.fs.readFileString(path).pipe(Effect.mapError(unreadable(failed, path)))
      const { error, response } = yield* Recording.parse(text).pipe(Effect.mapError(unreadable(failed, path)))
      const start = yield* Clock.currentTimeMillis // reading the file is no part of the response
      const until = (at: number) => (this.options.pauses === false ? Effect.void : waitUntil(start + at))
      const ended = Effect.suspend(() => {
        whole = true
        return error === undefined ? Effect.void : Effect.andThen(until(error.at), Effect.fail(error.error))
      })
      return Stream.fromIterable(response).pipe(
        Stream.rechunk(1),
        Stream.mapEffect(({ at, parts }) => Effect.as(until(at), parts)),
        Stream.tap((parts) => Effect.sync(() => void (whole ||= Exchange.isEnd(parts)))),
        Stream.flattenArray,
        Stream.concat(Stream.fromEffectDrain(ended))
      )
    })
    const giveBack = Effect.sync(() => void (whole || this.taken.delete(path)))
    return Stream.ensuring(Stream.unwrap(moments), giveBack)
  }

  private record(name: string, request: Request, live: Exchange.Parts): Exchange.Parts {
    const recorded = Effect.map(stopwatch, (elapsed) => {
      const response: Array<Recording.Moment> = []
      let ended = false
      const end = (error?: AiError.AiError) =>
        Effect.gen({ self: this }, function* () {
          if (ended) return
          ended = true
          const at = yield* elapsed
          const recording = { request, response, ...(error === undefined ? {} : { error: { at, error } }) }
          yield* this.write(name, Recording.print(recording))
        }).pipe(
          Effect.uninterruptible,
          Effect.mapError(({ message }) => failure(request, `the answer could not be recorded: ${message}`))
        )
      return live.pipe(
        Stream.mapArrayEffect((parts) =>
          Effect.gen(function* () {
            const at = yield* elapsed
            response.push({ at, parts })
            if (Exchange.isEnd(parts)) yield* end()
            return parts
          })
        ),
        Stream.catch((error) => Stream.fromEffectDrain(Effect.andThen(end(error), Effect.fail(error)))),
        Stream.concat(Stream.fromEffectDrain(Effect.suspend(() => end()))),
        Stream.ensuring(Effect.suspend(() => (ended ? Effect.void : notRecorded(request))))
      )
    })
    return Stream.unwrap(recorded)
  }

  /** Writes a file in one step, under the next number of its request. */
  private write(name: string, text: string): Effect.Effect<void, PlatformError> {
    const { folder } = this.options
    return Effect.scoped(
      Effect.gen({ self: this }, function* () {
        yield* this.fs.makeDirectory(folder, { recursive: true })
        const draft = `${yield* this.fs.makeTempDirectoryScoped({ directory: folder, prefix: ".recording-" })}/draft`
        yield* this.fs.writeFileString(draft, text)
        yield* this.place(name, draft)
      })
    )
  }

  private place(name: string, draft: string): Effect.Effect<void, PlatformError> {
    return Effect.suspend(() => {
      const path = this.pathOf(name, this.free(name))
      this.taken.add(path)
      this.used.add(path)
      if (this.mode === "record") return this.fs.rename(draft, path)
      return this.fs.link(draft, path).pipe(
        Effect.catchIf(
          (error) => error.reason._tag === "AlreadyExists", // another test was faster
          () => this.place(name, draft)
        )
      )
    })
  }
}

type Failed = (description: string) => AiError.AiError

const failure = ({ call }: Request, description: string): AiError.AiError =>
  AiError.make({ module: "Cassette", method: call, reason: new AiError.UnknownError({ description }) })

const unreadable =
  (failed: Failed, path: string) =>
  ({ message }: { readonly message: string }): AiError.AiError =>
    failed(`\`${path}\` cannot be replayed; delete it and record it again: ${message}`)

/** The milliseconds since now, by the Clock, and by a real one, which runs for the network also where a `TestClock` stands. */
const stopwatch: Effect.Effect<Effect.Effect<number>> = Effect.map(Clock.Clock, (clock) => {
  const clocks = [clock, Clock.Clock.defaultValue()].map((clock) => ({ clock, start: clock.currentTimeMillisUnsafe() }))
  return Effect.sync(() => Math.max(0, ...clocks.map(({ clock, start }) => clock.currentTimeMillisUnsafe() - start)))
})

const waitUntil = (time: number): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => (now < time ? Effect.sleep(time - now) : Effect.void))

const notRecorded = (request: Request): Effect.Effect<void> =>
  Effect.logWarning(`Not recorded, because its reader left before its end: "${Recording.preview(request)}"`)
