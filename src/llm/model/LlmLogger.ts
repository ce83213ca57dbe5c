/**
 * A log of what agents say to models and what these say back: one Markdown file for each request, written while the
 * response streams.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import { Feed } from "./feed.ts"
import { jsonOf, usageOf } from "../agents/responseMessages.ts"

/**
 * A request to be logged: the model if it is known, the prompt, which step of its agent's run it is, from 1, and the
 * agents from the one that asks to the outermost.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly agent: string
  readonly trace: ReadonlyArray<string>
  readonly model: string | undefined
  readonly step: number
  readonly responseFormat: "text" | "json"
  readonly prompt: Prompt.Prompt
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
 * What writes the log. It never fails: what cannot be written is a warning.
 *
 * @since 0.1.0
 * @category models
 */
export interface Logger {
  readonly open: (request: Request) => Effect.Effect<Entry>
}

/**
 * The log of the agents that speak with models; none, unless it is set.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentLogger: Context.Reference<Logger | undefined> = Context.Reference<Logger | undefined>(
  "miniagents/llm/LlmLogger/CurrentLogger",
  { defaultValue: () => undefined }
)

/**
 * Where the log goes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The folder of the files, `llm_logs` unless said. It is made if it is not there. */
  readonly folder?: string
}

/**
 * Switches the log on. A file is named by its time (UTC), the model and a random number, and laid out as in the Python
 * original: the agents, the request, its messages under headings, the response, and what is known at its end.
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
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, FileSystem.FileSystem> =>
  Layer.effect(
    CurrentLogger,
    Effect.map(FileSystem.FileSystem, (fs) => ({ open: (request) => open(fs, options.folder ?? "llm_logs", request) }))
  )

const open = (fs: FileSystem.FileSystem, folder: string, request: Request): Effect.Effect<Entry> =>
  Effect.gen(function* () {
    const path = `${folder.replace(/\/+$/, "")}/${yield* fileName(request.model)}`
    const text = new Feed<string>()
    text.append(beginOf(request))
    const write = text.stream.pipe(
      Stream.runForEachArray((chunk) => fs.writeFileString(path, chunk.join(""), { flag: "a" }))
    )
    const writer = yield* fs.makeDirectory(folder, { recursive: true }).pipe(
      Effect.andThen(write),
      Effect.catchCause((cause) => Effect.logWarning(`The log \`${path}\` could not be written`, cause)),
      // it ends with its text, which `end` ends also when the request is interrupted
      Effect.forkDetach({ startImmediately: true })
    )
    const layout = new Layout(request)
    return {
      take: (parts) => {
        const added = layout.take(parts)
        if (added !== "") text.append(added)
      },
      end: (exit) =>
        Effect.suspend(() => {
          text.append(layout.end(exit))
          text.end(Exit.void)
          return Fiber.join(writer)
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

const rule = "=".repeat(40)

const heading = (title: string) => `\n${title}\n${rule}\n`

const block = (value: unknown) => `\`\`\`json\n${JSON.stringify(jsonOf(value), null, 2)}\n\`\`\`\n`

const beginOf = ({ agent, model, prompt, responseFormat, step, trace }: Request): string =>
  [
    `${trace.join(" <- ")}\n\n`,
    block({ agent, model, step, responseFormat }),
    ...prompt.content.map((message) => `${heading(message.role)}${contentOf(message)}\n`)
  ].join("")

const contentOf = ({ content }: Prompt.Message): string =>
  typeof content === "string" ? content : content.map(partOf).join("\n\n")

const partOf = (part: Prompt.Part): string => {
  if (part.type === "text" || part.type === "reasoning") return part.text
  if (part.type === "tool-call") return `${part.name}(${JSON.stringify(part.params)})`
  return part.type === "tool-result" ? block(part.result) : `[${part.type}]`
}

/** The response as it comes: a heading for each block. */
class Layout {
  private block: string | undefined = undefined
  private model: string | undefined
  private readonly known: Record<string, unknown> = {}

  constructor({ model }: Request) {
    this.model = model
  }

  take(parts: ReadonlyArray<Response.AnyPart>): string {
    let text = ""
    for (const part of parts) {
      if (part.type === "text-delta") text += this.in("assistant") + part.delta
      else if (part.type === "text") text += this.in("assistant") + part.text
      else if (part.type === "reasoning-delta") text += this.in("reasoning") + part.delta
      else if (part.type === "tool-call")
        text += `${this.in(`tool ${part.id}`)}${part.name}(${JSON.stringify(part.params)})`
      else if (part.type === "response-metadata") {
        this.model ??= part.modelId
        Object.assign(this.known, { responseId: part.id, model: part.modelId })
      } else if (part.type === "finish") {
        Object.assign(this.known, { finishReason: part.reason, usage: usageOf(part.usage) })
      }
    }
    return text
  }

  end(exit: Exit.Exit<unknown, unknown>): string {
    const interrupted = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    const error = Exit.isSuccess(exit) ? {} : { error: interrupted ? "interrupted" : String(Cause.squash(exit.cause)) }
    return `${this.block === undefined ? "" : "\n"}\n${"-".repeat(40)}\n\n${block({ ...this.known, ...error })}`
  }

  private in(name: string): string {
    if (this.block === name) return ""
    const before = this.block === undefined ? "" : "\n"
    this.block = name
    const role = name.startsWith("tool ") ? "assistant" : name
    return before + heading(this.model === undefined ? role : `${role} / ${this.model}`)
  }
}
