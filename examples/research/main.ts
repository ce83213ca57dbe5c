/**
 * Answers a question from real documents, with several agents in parallel: without a model or a key, or with the model
 * that is configured.
 *
 * Run: npm start -- "How do I share a stream between consumers?"
 *      npm start -- --inspect
 *      npm start -- --web "What changed in the last release of Node?"
 *      npm start -- --docs ./docs "What does the retry option do?"
 *      OPENAI_API_KEY=… npm start -- --model gpt-5.2 "How do I share a stream between consumers?"
 *      OPENAI_BASE_URL=http://localhost:11434/v1 npm start -- "How do I share a stream between consumers?"
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Prompt from "effect/cli/Prompt"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Runtime from "effect/Runtime"
import { MiniAgents } from "miniagents"
import { ModelLayer } from "miniagents/llm"
import { ModelChoice } from "miniagents/models"
import * as Corpus from "./Corpus.ts"
import * as ModelPlanner from "./ModelPlanner.ts"
import * as ModelReader from "./ModelReader.ts"
import * as ModelWriter from "./ModelWriter.ts"
import * as PageReader from "./PageReader.ts"
import * as Planner from "./Planner.ts"
import * as Reader from "./Reader.ts"
import { research } from "./Research.ts"
import * as Screen from "./Screen.ts"
import * as Searcher from "./Searcher.ts"
import * as SearchIndex from "./SearchIndex.ts"
import * as Spans from "./Spans.ts"
import * as WebSearch from "./WebSearch.ts"
import * as WebSearcher from "./WebSearcher.ts"
import * as Wrap from "./Wrap.ts"
import * as Writer from "./Writer.ts"

const defaultQuestion = "How can I retry with increasing delays and give up after a few attempts?"

interface Asked {
  readonly question: string
  readonly choice: Option.Option<ModelChoice.Choice>
  readonly web: boolean
  readonly inspect: boolean
}

const answer = Effect.fnUntraced(function* ({ choice, inspect, question, web }: Asked) {
  const screen = yield* Screen.Screen
  const path = yield* Path.Path
  const { corpus } = yield* SearchIndex.SearchIndex
  yield* screen.aside(`Question: ${question}`)
  yield* screen.aside(
    Option.match(choice, { onNone: () => noModel, onSome: (choice) => `Model: ${ModelChoice.describe(choice)}` })
  )
  if (corpus.documents.length > 0) {
    yield* screen.aside(`Documents: ${corpus.documents.length} files of ${path.relative("", corpus.root) || "."}`)
  }
  if (web) yield* screen.aside("Web: searched with Tavily")
  yield* Effect.forEach(Corpus.notes(corpus), screen.aside)
  const spans = yield* Spans.Spans
  yield* Effect.flatMap(research.trigger(question), Screen.show).pipe(
    Effect.ensuring(Effect.flatMap(spans.calls, Screen.timeline)),
    Effect.exit,
    Effect.tap(
      inspect ? Effect.andThen(screen.aside("The inspector stays open until Ctrl-C"), Effect.never) : Effect.void
    ),
    Effect.flatten,
    Effect.provide(inspect ? Layer.provide(MiniAgents.layer(), inspector) : MiniAgents.layer())
  )
})

/** Shows the agents in a browser; it is loaded where it is wanted. */
const inspector = Layer.unwrap(
  Effect.map(
    Effect.promise(() => import("miniagents/inspector")),
    ({ Inspector }) => Layer.orDie(Inspector.layer())
  )
)

const ask = Effect.suspend(() =>
  process.stdin.isTTY && process.stdout.isTTY
    ? Effect.map(Prompt.run(Prompt.String({ message: "Your question (Enter takes an example)" })), (text) =>
        text.trim()
      )
    : Effect.succeed(defaultQuestion)
)

const noModel = "Model: none, the agents do without (--provider and --model in --help choose one)"

const embedded = Layer.mergeAll(Planner.layerEmbedded, Reader.layerEmbedded, Writer.layerEmbedded)

const modelled = (choice: ModelChoice.Choice) =>
  Layer.mergeAll(ModelPlanner.layer, ModelReader.layer, ModelWriter.layer).pipe(
    Layer.provide(
      ModelChoice.layer(choice).pipe(
        ModelLayer.retry({ times: 2, delay: "500 millis" }),
        ModelLayer.concurrency(mostRequests)
      )
    )
  )

const mostRequests = 8

const documents = (docs: Option.Option<string>) =>
  Option.match(docs, {
    onNone: () => SearchIndex.layerEffectDocs,
    onSome: (root) => SearchIndex.layer({ root })
  })

/** Its client takes a while to load, which only this needs. */
const client = Layer.unwrap(Effect.promise(async () => (await import("./PublicFetch.ts")).layer()))

const web = Layer.merge(
  Layer.provide(PageReader.layer, client),
  Layer.provide(WebSearch.layerTavily, FetchHttpClient.layer)
)

/** What is searched: documents, the web, or both. */
const sources = (docs: Option.Option<string>, isWeb: boolean) => {
  if (!isWeb) return Layer.provideMerge(Searcher.layerDocuments, documents(docs))
  return Option.isNone(docs)
    ? Layer.merge(Layer.provide(WebSearcher.layer, web), SearchIndex.layerEmpty)
    : Layer.provideMerge(Layer.provide(WebSearcher.layerWithDocuments, web), documents(docs))
}

const command = Command.make(
  "research",
  {
    docs: Flag.String("docs").pipe(
      Flag.withDescription(
        "A folder of Markdown, HTML, text and source files; without it, the documentation of Effect"
      ),
      Flag.optional
    ),
    web: Flag.Boolean("web").pipe(
      Flag.withDescription(
        "Search the web instead of the documentation of Effect, or beside --docs; needs a key of https://tavily.com in TAVILY_API_KEY"
      ),
      Flag.withDefault(false)
    ),
    inspect: Flag.Boolean("inspect").pipe(
      Flag.withDescription("Show in a browser what the agents do, until Ctrl-C"),
      Flag.withDefault(false)
    ),
    provider: Flag.String("provider").pipe(
      Flag.withDescription(
        "Whose model: openai, anthropic, ollama, another provider (a wrong name lists them) or none; by default the one with OPENAI_API_KEY, OPENAI_BASE_URL (a server of your own needs no key), ANTHROPIC_API_KEY or ANTHROPIC_BASE_URL in the environment. MINIAGENTS_PROVIDER says the same"
      ),
      Flag.optional
    ),
    model: Flag.String("model").pipe(
      Flag.withDescription("The name of the model; without it, a default one. MINIAGENTS_MODEL says the same"),
      Flag.optional
    ),
    words: Argument.String("question").pipe(Argument.withDescription("What you want to know"), Argument.variadic())
  },
  Effect.fnUntraced(function* ({ docs, inspect, model, provider, web, words }) {
    const choice = yield* ModelChoice.choose({
      provider: Option.getOrUndefined(provider),
      model: Option.getOrUndefined(model)
    })
    const given = words.join(" ").trim()
    const question = given === "" ? yield* ask : given
    const agents = Option.match(choice, { onNone: () => embedded, onSome: modelled })
    yield* answer({ question: question === "" ? defaultQuestion : question, choice, web, inspect }).pipe(
      Effect.provide(Layer.provideMerge(agents, sources(docs, web)))
    )
  })
).pipe(
  Command.withDescription(
    "Answers a question from documents. Exit status: 0 answered, 1 nothing there answers it or the words are wrong, 2 the documents cannot be read or the output not written, 3 the model or the web failed, or is not configured well, 130 interrupted."
  )
)

/** Says what is wrong in a sentence; the exit status says which kind it was. */
const explain = (code: number) => (error: { readonly message: string }) =>
  Effect.andThen(
    Console.error(Wrap.printable(error.message)),
    Effect.fail({ [Runtime.errorExitCode]: code, [Runtime.errorReported]: false })
  )

Command.run(command, { version: "0.1.0" }).pipe(
  Effect.onInterrupt(() => Effect.flatMap(Screen.Screen, ({ leave }) => leave)),
  Effect.catchTags({
    CorpusError: explain(2),
    ModelFailed: explain(3),
    NoAnswer: explain(1),
    NothingFound: explain(3),
    NothingRead: explain(3),
    NothingToSearch: explain(1),
    ProviderError: explain(3),
    WebSearchError: explain(3),
    QuitError: () => Effect.interrupt
  }),
  Effect.provide([NodeServices.layer, Screen.layerProcess, Spans.layer]),
  NodeRuntime.runMain
)
