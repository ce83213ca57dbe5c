/**
 * Logs what agents ask models and what the models answer: one Markdown file for each request, written while the
 * response streams.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import { withoutSecrets } from "../../internal/address.ts"
import { sizeOf } from "../../internal/files.ts"
import * as FileError from "../../internal/fileError.ts"
import { jsonOf } from "./lossless.ts"
import type * as ModelSettings from "../provider/ModelSettings.ts"
import * as Budget from "./Budget.ts"
import { usageOf } from "./usage.ts"

/**
 * A request to be logged: the agent that asks and the path of its call, the model if it is known, which step of
 * its agent's run it is, from 1, the parameters that the agent was called with, the tools, and the prompt.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly agent: string
  /** Where the call stands in the tree of calls, such as `Outer/0:Poet`. */
  readonly path: string
  readonly model: string | undefined
  readonly step: number
  readonly responseFormat: "text" | "json"
  readonly parameters: Schema.Json
  readonly tools: ReadonlyArray<Tool.Any>
  readonly prompt: Prompt.Prompt
  /** Which tools the model may or must call, where that is said. */
  readonly toolChoice?: LanguageModel.ToolChoice<string> | undefined
  /** The object that is asked for, where one is: its name and its schema. */
  readonly object?: { readonly name: string; readonly schema: Schema.Top } | undefined
  /** The settings that the agent gives its requests. */
  readonly settings?: ModelSettings.Settings | undefined
}

/**
 * The log of one request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly take: (parts: ReadonlyArray<Response.AnyPart>) => void
  readonly end: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/**
 * A failure after which a request goes on: it is made again (`model.retry`), or another model takes over
 * (`model.fallback`). `what` says so in words.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lost {
  readonly event: "model.retry" | "model.fallback"
  readonly what: string
  readonly error: AiError.AiError
}

/**
 * Writes the log of agents on models. It never fails: what cannot be written is a warning.
 *
 * @since 0.1.0
 * @category models
 */
export interface Logger {
  readonly open: (request: Request) => Effect.Effect<Entry>
  /** Is told in the call whose request goes on after a failure. */
  readonly lost?: (lost: Lost) => Effect.Effect<void>
}

/**
 * The loggers of the agents that speak with models, any number at once; nothing by default.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentLoggers: Context.Reference<ReadonlyArray<Logger>> = Context.Reference<ReadonlyArray<Logger>>(
  "miniagents/llm/LlmLogger/CurrentLoggers",
  { defaultValue: () => [] }
)

/**
 * Options for where the log goes, and what is in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The folder of the files. It is made if it is not there.
   *
   * @default "llm_logs"
   */
  readonly folder?: string
}

/**
 * Makes a logger that writes a Markdown file for each request. A file is named by its time (UTC), the model and a random
 * number, and laid out as in the Python original: the agents, the request with its parameters and tools, its messages
 * under headings, the response, and what is known at its end, with how long it took.
 *
 * **Details**
 *
 * Each line of what was said begins with `> `, and nothing else in a file does: no text can look like a heading.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Logger, never, FileSystem.FileSystem> =>
  Effect.map(FileSystem.FileSystem, (fs) => ({ open: (request) => open(fs, options.folder ?? "llm_logs", request) }))

/**
 * Writes the log, in addition to logs that are already on around it.
 *
 * **When to use**
 *
 * To see exactly what models were asked and what they answered.
 *
 * **Example**
 *
 * ```ts
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { MiniAgents } from "miniagents"
 * import { LlmAgent, LlmLogger } from "miniagents/llm"
 *
 * const program = LlmAgent.make("Poet").trigger("A haiku").pipe(
 *   Effect.flatMap((replies) => replies.text),
 *   Effect.provide(Layer.merge(MiniAgents.layer(), LlmLogger.layer().pipe(Layer.provide(NodeFileSystem.layer))))
 * )
 * ```
 *
 * @see {@link layerAll} for several at once
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, FileSystem.FileSystem> =>
  layerAll([make(options)])

/**
 * Switches on several loggers, which may be your own, in addition to those that are already on around it.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { LlmLogger } from "miniagents/llm"
 *
 * const counter: LlmLogger.Logger = {
 *   open: ({ agent }) => Effect.as(Effect.log(`${agent} asks`), { take: () => {}, end: () => Effect.void })
 * }
 * const logs = LlmLogger.layerAll([LlmLogger.make({ folder: "logs" }), Effect.succeed(counter)])
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerAll = <E, R>(loggers: ReadonlyArray<Effect.Effect<Logger, E, R>>): Layer.Layer<never, E, R> =>
  Layer.effect(
    CurrentLoggers,
    Effect.zipWith(CurrentLoggers, Effect.all(loggers), (around, added) => [...around, ...added])
  )

let registered: ReadonlyArray<Logger> = []

/**
 * Adds a logger to all agents of this process that speak with models, for tools that watch a program without changing
 * it. Gives the function that removes it.
 *
 * **When to use**
 *
 * Use in a module that is loaded before the program, with `node --import`. A program itself takes `layerAll`.
 *
 * @see `Observer.register`, which does the same for the calls of agents
 * @since 0.1.0
 * @category constructors
 */
export const register = (logger: Logger): (() => void) => {
  registered = [...registered, logger]
  return () => {
    registered = registered.filter((each) => each !== logger)
  }
}

/** Whether any logger is on. @internal */
export const isOn = (context: Context.Context<never>): boolean =>
  registered.length > 0 || Context.get(context, CurrentLoggers).length > 0

/** The log of a request in all loggers, if there are any. @internal */
export const openAll = (request: Request): Effect.Effect<Entry | undefined> =>
  Effect.gen(function* () {
    const loggers = [...(yield* CurrentLoggers), ...registered]
    if (loggers.length === 0) return undefined
    const entries = yield* Effect.forEach(loggers, (logger) => logger.open(request))
    return {
      take: (parts) => {
        for (const entry of entries) entry.take(parts)
      },
      end: (exit) => Effect.forEach(entries, (entry) => entry.end(exit), { concurrency: "unbounded", discard: true })
    }
  })

/** Tells all loggers of a failure after which a request goes on. @internal */
export const lostAll = (lost: Lost): Effect.Effect<void> =>
  Effect.flatMap(CurrentLoggers, (loggers) =>
    Effect.forEach([...loggers, ...registered], (logger) => logger.lost?.(lost) ?? Effect.void, { discard: true })
  )

const open = (fs: FileSystem.FileSystem, folder: string, request: Request): Effect.Effect<Entry> =>
  Effect.gen(function* () {
    const path = `${folder.replace(/\/+$/, "")}/${yield* fileName(request.model)}`
    const text = yield* Queue.unbounded<string, Cause.Done>()
    Queue.offerUnsafe(text, beginOf(request))
    const write = Stream.runForEachArray(Stream.fromQueue(text), (chunk) =>
      fs.writeFileString(path, chunk.join(""), { flag: "a" })
    )
    const writer = yield* fs.makeDirectory(folder, { recursive: true }).pipe(
      Effect.andThen(write),
      Effect.mapError(FileError.withPath(path)),
      Effect.catchCause((cause) => Effect.logWarning(`The log \`${path}\` could not be written`, cause)),
      // it ends with its text, which `end` ends also when the request is interrupted
      Effect.forkDetach({ startImmediately: true })
    )
    const layout = new Layout(request)
    const provider = Option.getOrUndefined(yield* Effect.serviceOption(Model.ProviderName))
    const started = yield* Clock.currentTimeMillis
    return {
      take: (parts) => {
        const added = layout.take(parts)
        if (added !== "") Queue.offerUnsafe(text, added)
      },
      end: (exit) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const { finish } = layout
          const cost = finish === undefined ? 0 : yield* Budget.costOf(request.model, provider, finish)
          Queue.offerUnsafe(text, layout.end(exit, now - started, cost))
          Queue.endUnsafe(text)
          yield* Fiber.join(writer)
        })
    }
  })

const fileName = (model: string | undefined): Effect.Effect<string> =>
  Effect.gen(function* () {
    const now = DateTime.formatIso(yield* DateTime.now)
    const [date, time] = now.replaceAll(/[-:]/g, "").split("T")
    const number = yield* Random.nextIntBetween(0, 0xff_ffff)
    const name = model === undefined ? "" : `__${model.replaceAll(/[^\w.-]+/g, "-")}`
    return `${date}_${time.slice(0, 6)}__${time.slice(7, 10)}${name}__${number.toString(16).padStart(6, "0")}.md`
  })

/** What ends a line, anywhere where a text is read. */
const lineEnd = /\r\n?|[\n\v\f\u0085\u2028\u2029]/g

/** Text that was said, or more of it: each of its lines is marked, so that none can be taken for one of the log's own. */
const quoted = (text: string) => text.replaceAll(lineEnd, "$&> ")

const oneLine = (text: string) => text.replaceAll(lineEnd, " ")

const heading = (title: string) => `\n${oneLine(title)}\n${"=".repeat(40)}\n> `

const block = (value: unknown) => `\`\`\`json\n${JSON.stringify(jsonOf(value), null, 2)}\n\`\`\`\n`

const beginOf = ({ agent, model, parameters, path, prompt, responseFormat, step, tools }: Request): string =>
  [
    `${oneLine(path)}\n\n`,
    block({ agent, model, step, responseFormat, parameters, ...(tools.length > 0 && { tools: tools.map(toolOf) }) }),
    ...prompt.content.map((message) => `${heading(message.role)}${quoted(contentOf(message))}\n`)
  ].join("")

const toolOf = (tool: Tool.Any) => {
  const { description, name } = tool
  const schema = Tool.isProviderDefined(tool) ? Result.succeed(undefined) : Result.try(() => Tool.getJsonSchema(tool))
  return { name, description, parameters: Result.getOrElse(schema, () => undefined) }
}

const contentOf = ({ content }: Prompt.Message): string =>
  typeof content === "string" ? content : content.map(partOf).join("\n\n")

const partOf = (part: Prompt.Part): string => {
  if (part.type === "text" || part.type === "reasoning") return part.text
  if (part.type === "tool-call") return `${part.name}(${JSON.stringify(part.params)})`
  if (part.type === "file")
    return `[${[part.fileName, part.mediaType, placeOf(part)].filter(Predicate.isString).join(", ")}]`
  if (part.type !== "tool-result") return `[${part.type}]`
  const files = (part.modelOutput ?? []).flatMap((shown) => (shown.type === "file" ? partOf(shown) : []))
  return [block(part.result).trimEnd(), ...files].join("\n\n")
}

/** The response as it comes: a heading for each block. */
class Layout {
  private block: string | undefined = undefined
  private model: string | undefined
  private readonly known: Record<string, unknown> = {}
  /** What the response ended with, by which its cost is known. */
  finish: Response.FinishPart | undefined = undefined

  constructor({ model }: Request) {
    this.model = model
  }

  take(parts: ReadonlyArray<Response.AnyPart>): string {
    let text = ""
    for (const part of parts) {
      if (part.type === "text-delta") text += this.in("assistant") + quoted(part.delta)
      else if (part.type === "text") text += this.in("assistant") + quoted(part.text)
      else if (part.type === "reasoning-delta") text += this.in("reasoning") + quoted(part.delta)
      else if (part.type === "file") text += `${this.in("assistant")}[${part.mediaType}, ${placeOf(part)}]`
      else if (part.type === "tool-call")
        text += this.in(`tool ${part.id}`) + quoted(`${part.name}(${JSON.stringify(part.params)})`)
      else if (part.type === "response-metadata") {
        this.model ??= part.modelId
        Object.assign(this.known, { responseId: part.id, model: part.modelId })
      } else if (part.type === "finish") {
        Object.assign(this.known, { finishReason: part.reason, usage: usageOf(part.usage) })
        this.finish = part
      }
    }
    return text
  }

  end(exit: Exit.Exit<unknown, unknown>, milliseconds: number, cost: number): string {
    const interrupted = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    const error = Exit.isSuccess(exit) ? {} : { error: interrupted ? "interrupted" : String(Cause.squash(exit.cause)) }
    const known = {
      ...this.known,
      ...(cost > 0 && { cost }),
      duration: Duration.format(Duration.millis(milliseconds)),
      ...error
    }
    return `${this.block === undefined ? "" : "\n"}\n${"-".repeat(40)}\n\n${block(known)}`
  }

  private in(name: string): string {
    if (this.block === name) return ""
    const before = this.block === undefined ? "" : "\n"
    this.block = name
    const role = name.startsWith("tool ") ? "assistant" : name
    return before + heading(this.model === undefined ? role : `${role} / ${this.model}`)
  }
}

/** Where a file is, or how large: its bytes are for nobody to read. */
const placeOf = ({ data }: Pick<Prompt.FilePart, "data">): string => {
  if (data instanceof Uint8Array) return `${data.length} bytes`
  return /^https?:/i.test(String(data))
    ? withoutSecrets(String(data))
    : sizeOf(String(data).replace(/^data:[^,]*,/, ""))
}
