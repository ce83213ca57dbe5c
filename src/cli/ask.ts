/** `miniagents ask`: one question, one answer. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type * as Terminal from "effect/Terminal"
import { identity } from "effect/Function"
import * as Console from "../console/console.ts"
import * as Budget from "../llm/model/Budget.ts"
import * as LlmAgent from "../llm/agents/LlmAgent.ts"
import * as Message from "../Message.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import * as MiniAgents from "../MiniAgents.ts"
import type { Settings } from "./command.ts"
import * as Cost from "./cost.ts"
import * as Markdown from "./markdown.ts"
import * as Model from "./model.ts"
import { misuse, Refusal, refuse } from "./refusal.ts"

export interface Question extends Settings {
  readonly words: ReadonlyArray<string>
  /** Whether what the answer cost is said on the standard error output. */
  readonly cost: boolean
}

export const run = (
  question: Question
): Effect.Effect<void, Refusal | PlatformError, FileSystem.FileSystem | Stdio.Stdio | Terminal.Terminal> =>
  Effect.gen(function* () {
    const choice = yield* Model.choose(question)
    const text = yield* textOf(question.words)
    const system = Option.getOrUndefined(question.system)
    const assistant = LlmAgent.make("Assistant", system === undefined ? {} : { system })
    yield* assistant
      .trigger(Message.user(text))
      .pipe(
        Effect.flatMap(show),
        question.cost ? withCost : identity,
        Effect.catchTags({ AiError: fail, BudgetExceeded: fail }),
        Effect.provide([MiniAgents.layer(), Model.layer(choice, question), question.cost ? Cost.prices : Layer.empty])
      )
  })

const fail = (error: Error): Effect.Effect<never, Refusal> => Effect.fail(refuse(1)(error))

/** Says what it has cost and how long it took, however it ends. */
const withCost = <A, E, R>(asked: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Stdio.Stdio> =>
  Effect.gen(function* () {
    const budget = yield* Budget.make({})
    const began = yield* Clock.currentTimeMillis
    const say = Effect.gen(function* () {
      const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
      const line = `[${Cost.describe(yield* budget.usage)}; took ${seconds.toFixed(1)} s]\n`
      yield* Stream.run(Stream.make(line), (yield* Stdio.Stdio).stderr())
    })
    return yield* Effect.ensuring(Budget.withBudget(budget)(asked), Effect.ignore(say))
  })

/** The words, and below them what comes through a pipe. */
const textOf = (words: ReadonlyArray<string>): Effect.Effect<string, Refusal | PlatformError, Stdio.Stdio> =>
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const piped = (yield* stdio.stdinIsTerminal) ? "" : yield* Stream.mkString(Stream.decodeText(stdio.stdin))
    const text = [words.join(" ").trim(), piped.trim()].filter((part) => part !== "").join("\n\n")
    if (text !== "") return text
    return yield* new Refusal({ message: 'There is no question: miniagents ask "What is a monad?"', status: misuse })
  })

/** Writes the answer as it comes; what the model thinks is no answer. However it ends, its last line does. */
const show = <E>(
  replies: MessageSequence.MessageSequence<E>
): Effect.Effect<void, E | PlatformError, MiniAgents.MiniAgents | Stdio.Stdio | Terminal.Terminal> =>
  Effect.gen(function* () {
    const shown = yield* Markdown.render("39", 0)
    let answers = 0
    const tokens = replies.pipe(
      Stream.filter(({ known }) => known._tag === "Assistant"),
      Stream.flatMap((promise) => {
        const before = answers++ === 0 ? "" : "\n\n"
        return Stream.concat(Stream.make(before), shown(Console.whole(promise)))
      })
    )
    const isTerminal = yield* (yield* Stdio.Stdio).stdoutIsTerminal
    const endLine = Effect.suspend(() => (answers === 0 ? Effect.void : Console.write("\n")))
    const markStop = isTerminal
      ? Effect.andThen(
          endLine,
          Effect.suspend(() => Console.write("[stopped]"))
        )
      : Effect.void
    yield* Console.writeAll(tokens).pipe(
      Effect.onInterrupt(() => Effect.ignore(markStop)),
      Effect.ensuring(Effect.ignore(endLine))
    )
  })
