/**
 * Answers a question from real documents, with several agents in parallel and without a model or a key.
 *
 * Run: npm start -- "How do I share a stream between consumers?"
 *      npm start -- --docs ./docs "What does the retry option do?"
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Prompt from "effect/cli/Prompt"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Runtime from "effect/Runtime"
import { MiniAgents } from "miniagents"
import * as Corpus from "./Corpus.ts"
import type { NoAnswer, NothingToSearch } from "./Findings.ts"
import * as Planner from "./Planner.ts"
import * as Reader from "./Reader.ts"
import { research } from "./Research.ts"
import * as Screen from "./Screen.ts"
import * as SearchIndex from "./SearchIndex.ts"
import * as Spans from "./Spans.ts"
import * as Writer from "./Writer.ts"

const defaultQuestion = "How can I retry with increasing delays and give up after a few attempts?"

const answer = Effect.fnUntraced(function* (question: string) {
  const screen = yield* Screen.Screen
  const path = yield* Path.Path
  const { corpus } = yield* SearchIndex.SearchIndex
  yield* screen.aside(`Question: ${question}`)
  yield* screen.aside(`Documents: ${corpus.documents.length} files of ${path.relative("", corpus.root) || "."}`)
  yield* Effect.forEach(Corpus.notes(corpus), screen.aside)
  const spans = yield* Spans.Spans
  yield* Effect.flatMap(research.trigger(question), Screen.show).pipe(
    Effect.provide(MiniAgents.layer()),
    Effect.ensuring(Effect.flatMap(spans.calls, Screen.timeline))
  )
})

const ask = Effect.suspend(() =>
  process.stdin.isTTY && process.stdout.isTTY
    ? Effect.map(Prompt.run(Prompt.String({ message: "Your question", default: defaultQuestion })), (text) =>
        text.trim()
      )
    : Effect.succeed(defaultQuestion)
)

const layer = (docs: Option.Option<string>) =>
  Layer.mergeAll(Planner.layerEmbedded, Reader.layerEmbedded, Writer.layerEmbedded).pipe(
    Layer.provideMerge(
      Option.match(docs, {
        onNone: () => SearchIndex.layerEffectDocs,
        onSome: (root) => SearchIndex.layer({ root })
      })
    )
  )

const command = Command.make(
  "research",
  {
    docs: Flag.String("docs").pipe(
      Flag.withDescription("A folder of Markdown, text and source files; without it, the documentation of Effect"),
      Flag.optional
    ),
    words: Argument.String("question").pipe(Argument.withDescription("What you want to know"), Argument.variadic())
  },
  Effect.fnUntraced(function* ({ docs, words }) {
    const given = words.join(" ").trim()
    const question = given === "" ? yield* ask : given
    yield* answer(question === "" ? defaultQuestion : question).pipe(Effect.provide(layer(docs)))
  })
).pipe(
  Command.withDescription(
    "Answers a question from documents. Exit status: 0 answered, 1 nothing there answers it or the words are wrong, 2 the documents cannot be read or the output not written, 130 interrupted."
  )
)

/** Says what is wrong in a sentence; the exit status says which kind it was. */
const explain = (code: number) => (error: Corpus.CorpusError | NoAnswer | NothingToSearch) =>
  Effect.andThen(
    Console.error(error.message),
    Effect.fail({ [Runtime.errorExitCode]: code, [Runtime.errorReported]: false })
  )

Command.run(command, { version: "0.1.0" }).pipe(
  Effect.onInterrupt(() => Effect.flatMap(Screen.Screen, ({ leave }) => leave)),
  Effect.catchTags({
    CorpusError: explain(2),
    NoAnswer: explain(1),
    NothingToSearch: explain(1),
    QuitError: () => Effect.interrupt
  }),
  Effect.provide([NodeServices.layer, Screen.layerProcess, Spans.layer]),
  NodeRuntime.runMain
)
