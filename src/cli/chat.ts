/** `miniagents chat`: a conversation that is kept in a file. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type * as Terminal from "effect/Terminal"
import * as Agent from "../Agent.ts"
import * as Console from "../console/console.ts"
import * as ConsoleInput from "../console/ConsoleInput.ts"
import { output } from "../console/output.ts"
import * as Dialog from "../agents/Dialog.ts"
import * as History from "../history/History.ts"
import * as LineEditor from "../console/LineEditor.ts"
import * as LineInput from "../console/LineInput.ts"
import * as MarkdownHistory from "../history/MarkdownHistory.ts"
import * as User from "../agents/User.ts"
import type { Upstream } from "../InteractionContext.ts"
import * as Budget from "../llm/model/Budget.ts"
import * as LlmAgent from "../llm/agents/LlmAgent.ts"
import * as LlmMessage from "../llm/agents/LlmMessage.ts"
import * as ModelChoice from "../models/ModelChoice.ts"
import * as Message from "../Message.ts"
import * as MessagePromise from "../MessagePromise.ts"
import * as MiniAgents from "../MiniAgents.ts"
import type { Settings } from "./command.ts"
import * as Cost from "./cost.ts"
import * as Markdown from "./markdown.ts"
import * as Model from "./model.ts"
import * as PipeInput from "./pipeInput.ts"
import { misuse, type Refusal, refuse } from "./refusal.ts"
import * as Spinner from "./spinner.ts"

export interface Conversation extends Settings {
  readonly history: string
  /** Whether what an answer cost is shown after it. */
  readonly cost: boolean
}

export const run = (
  conversation: Conversation
): Effect.Effect<void, Refusal | PlatformError, FileSystem.FileSystem | Path.Path | Stdio.Stdio | Terminal.Terminal> =>
  Effect.gen(function* () {
    const choice = yield* Model.choose(conversation)
    const stdio = yield* Stdio.Stdio
    const isTerminal = (yield* stdio.stdinIsTerminal) && (yield* stdio.stdoutIsTerminal)
    const hasKeys = isTerminal && !(yield* Console.isDumb)
    const file = nameOf(yield* Path.Path, conversation.history)
    const isNew = !(yield* (yield* FileSystem.FileSystem).exists(file))
    const history = yield* MarkdownHistory.makeHistory({ file })
    const user = User.make({
      output: output({}, Markdown.show),
      input: ConsoleInput.make({ greeting: "" }),
      history: History.agent("MarkdownHistory", history)
    })
    const system = Option.getOrUndefined(conversation.system)
    const model = LlmAgent.make("Assistant", system === undefined ? {} : { system })
    // the SDK is loaded while the person writes
    const connected = yield* Effect.cached(Layer.buildWithScope(Model.layer(choice, conversation), yield* Effect.scope))
    yield* Effect.forkScoped(connected)
    const budget = conversation.cost ? yield* Budget.make({}) : undefined
    const dialog = Dialog.make({ user, assistant: stoppable(model, connected, isTerminal, budget) })
    const input = hasKeys ? LineEditor.layer : Layer.merge(PipeInput.layer(!isTerminal), noStop)
    yield* (isTerminal ? greet(choice, file, isNew) : Effect.void).pipe(
      Effect.andThen(dialog.trigger()),
      Effect.flatMap((replies) => replies.messages),
      Effect.provide([MiniAgents.layer(), input, conversation.cost ? Cost.prices : Layer.empty])
    )
  }).pipe(
    Effect.scoped,
    Effect.catchTag("HistoryError", (error) => Effect.fail(refuse(error.operation === "open" ? misuse : 1)(error)))
  )

/** Without keys nobody can. */
const noStop = Layer.succeed(LineEditor.Stop, { pressed: Effect.never })

/** The file as a person would say it: without the folder they are in. */
const nameOf = (path: Path.Path, file: string): string => {
  const name = path.relative("", file)
  return name === "" || name.startsWith("..") ? file : name
}

/** Says who talks, where it is kept, and how to go on. */
const greet = (choice: ModelChoice.Choice, file: string, isNew: boolean) =>
  Effect.gen(function* () {
    const { help } = yield* LineInput.LineInput
    const paint = yield* Console.painter
    const title = `miniagents · ${ModelChoice.describe(choice)} · ${file}${isNew ? "" : " (continued)"}`
    const blocks = [paint(Console.harmless(title), Console.green), paint(help.join("\n"), Console.dim)]
    for (const block of blocks) if (block !== "") yield* Console.write(`${block}\n\n`)
  })

/**
 * The assistant, with a spinner until it says something. When it is stopped, or its model fails, what it has said is
 * all of the message. What it failed with is told to a person at a terminal, who can try again; through a pipe it ends
 * the conversation.
 */
const stoppable = <E, R, R2>(
  model: Agent.Agent<{}, E, R>,
  connected: Effect.Effect<Context.Context<R>, Refusal, R2>,
  isTerminal: boolean,
  budget: Budget.Budget | undefined
): Agent.Agent<{}, Refusal | PlatformError, R2 | LineEditor.Stop | Stdio.Stdio> =>
  Agent.make("Assistant", (ctx) =>
    Effect.gen(function* () {
      const stop = yield* LineEditor.Stop
      const spinner = yield* Effect.forkChild(Spinner.turn)
      const began = yield* Clock.currentTimeMillis
      const calling = Effect.provide(model.call<Upstream>(), yield* connected)
      const call = yield* budget === undefined ? calling : Budget.withBudget(budget)(calling)
      yield* call.send(ctx.messages)
      const replies = yield* call.replies()
      yield* Effect.forkChild(Effect.andThen(stop.pressed, call.interrupt))
      let said = false
      const pass = (promise: MessagePromise.MessagePromise<unknown>) =>
        Effect.gen(function* () {
          yield* Fiber.interrupt(spinner)
          said = true
          yield* ctx.reply(yield* asFarAsItGoes(promise))
        })
      yield* Effect.exit(Stream.runForEach(replies, pass))
      const exit = yield* Effect.exit(replies.messages)
      yield* Fiber.interrupt(spinner)
      const isStopped = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
      if (isStopped && said) yield* ctx.reply(Message.text("[stopped]", History.noHistory))
      if (budget !== undefined) {
        const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
        const soFar = `[so far: ${Cost.describe(yield* budget.usage)}; this answer took ${seconds.toFixed(1)} s]`
        yield* ctx.reply(Message.text(soFar, History.noHistory))
      }
      if (Exit.isSuccess(exit) || isStopped) return
      const failure = Cause.squash(exit.cause)
      const refusal = refuse(1)(failure instanceof Error ? failure : { message: String(failure) })
      if (!isTerminal) return yield* refusal
      yield* ctx.reply(failureOf(refusal.message))
    })
  ) as never // what `ctx.messages` fails with is what the dialog's user fails with

/**
 * A message that ends well however the one it is made of does. What the model thinks is shown and not kept: models need
 * none of it in a later turn, and refuse half of it.
 */
const asFarAsItGoes = <E>(promise: MessagePromise.MessagePromise<E>) => {
  const { known } = promise
  const isThought = known._tag === "Reasoning"
  const fields = { ...(known.agent === undefined ? {} : { agent: known.agent }), metadata: known.metadata ?? {} }
  const thought = { ...fields, metadata: { ...fields.metadata, ...History.noHistory } }
  return MessagePromise.fromStream(
    Stream.catchCause(promise, () => Stream.empty),
    {
      known: isThought ? { ...known, ...thought } : known,
      whole: (content) => {
        if (isThought) return Effect.succeed(new LlmMessage.Reasoning({ ...thought, content }))
        const model = known.model === undefined ? {} : { model: known.model }
        const partial = new Message.Assistant({ ...fields, ...model, content })
        return Effect.catchCause(promise.message, () => Effect.succeed(partial))
      }
    }
  )
}

const failureOf = (reason: string): Message.Failure =>
  new Message.Failure({ content: "", error: "Error", reason, trace: [], metadata: History.noHistory })
