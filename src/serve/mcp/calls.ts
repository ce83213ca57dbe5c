/** Agents as the tools of an MCP server: a call of a tool is a run. */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as McpSchema from "effect/ai/McpSchema"
import type * as McpServer from "effect/ai/McpServer"
import * as Tool from "effect/ai/Tool"
import type * as Agent from "../../Agent.ts"
import { describe, fieldIssues } from "../../internal/fieldIssues.ts"
import * as AgentTool from "../../llm/agents/AgentTool.ts"
import * as Approval from "../../llm/agents/Approval.ts"
import type * as Message from "../../Message.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import * as Runs from "../../runs/Runs.ts"
import { McpResult } from "./result.ts"
import { elicited, McpRun } from "./run.ts"

/** Its parameters are checked by its tool, and what it requires is in the context of the server. */
export type AnyAgent = Agent.Agent<{}, unknown, never>

export interface Options {
  readonly classes: ReadonlyArray<Message.AnyClass>
  readonly linger: Duration.Input
  readonly tasks: { readonly [agent: string]: TaskMode }
}

export type TaskMode = "offered" | "required"

type Request = McpSchema.McpRequestContext["Service"]
type Tell = (text: string, told: number) => Effect.Effect<void>

/** An agent and what its tool takes. */
interface Served {
  readonly agent: AnyAgent
  readonly tool: Tool.Any
  readonly decode: (given: unknown) => Result.Result<object, Schema.SchemaError>
}

export class McpCalls {
  private readonly context: Context.Context<Runs.Runs | MiniAgents.MiniAgents>
  private readonly runs: Runs.Service
  private readonly options: Options
  /** The agents that are tools, by the names of the tools. */
  private readonly served = new Map<string, Served>()
  /** The runs that a client can go on with. */
  private readonly known = new Map<string, McpRun>()

  constructor(context: Context.Context<Runs.Runs | MiniAgents.MiniAgents>, options: Options) {
    this.context = context
    this.runs = Context.get(context, Runs.Runs)
    this.options = options
  }

  /** Makes a tool of an agent. */
  register(server: McpServer.McpServer["Service"], agent: AnyAgent): Effect.Effect<void> {
    const tool: Tool.Any = AgentTool.make(agent)
    const codec = Schema.toCodecJson(tool.parametersSchema as unknown as Schema.Codec<object>)
    const decode = Schema.decodeUnknownResult(codec, { onExcessProperty: "error", errors: "all" })
    const served = { agent, tool, decode }
    this.served.set(tool.name, served)
    const inputSchema = Schema.decodeUnknownSync(McpSchema.ToolJson)(Tool.getJsonSchema(tool))
    return server.addTool({
      tool: new McpSchema.Tool({ name: tool.name, description: tool.description, inputSchema }),
      annotations: Context.empty(),
      handle: (given) =>
        Effect.flatMap(McpSchema.McpRequestContext, (request) =>
          this.call(served, given, request, tellBy(server, request))
        )
    })
  }

  /** Calls a tool, or goes on with a call whose questions are answered now. */
  private call(
    served: Served,
    given: unknown,
    request: Request,
    tell: Tell | undefined
  ): Effect.Effect<
    McpSchema.CallToolResult | McpSchema.InputRequired,
    McpSchema.InvalidParams | McpSchema.InternalError
  > {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const { requestState } = request
        const run =
          requestState === undefined ? yield* this.start(served, given, request) : this.known.get(requestState)
        if (run === undefined) {
          return yield* new McpSchema.InvalidParams({ message: "`requestState` names no call that goes on" })
        }
        yield* Effect.provideContext(run.answer(request.inputResponses ?? {}), this.context)
        const asks = Effect.map(
          run.questions,
          (inputRequests) => new McpSchema.InputRequired({ inputRequests, requestState: run.id })
        )
        const left = Effect.ignore(this.runs.interrupt(run.id))
        return yield* restore(Effect.raceFirst(this.result(run, tell), asks)).pipe(Effect.onInterrupt(() => left))
      }).pipe(
        Effect.catchIf(
          (error) => error instanceof Runs.RunsError,
          ({ message }) => Effect.fail(new McpSchema.InternalError({ message }))
        )
      )
    )
  }

  /** Whether calls of a tool become tasks. */
  taskMode(name: string): TaskMode | undefined {
    const served = this.served.get(name)
    return served === undefined ? undefined : this.options.tasks[served.agent.name]
  }

  /** Calls a tool as a task: a run that the client asks about. */
  createTask(name: string, given: unknown, request: Request): Effect.Effect<Schema.JsonObject, Failure> {
    return Effect.gen({ self: this }, function* () {
      const run = yield* this.start(this.served.get(name)!, given, request) // it has a mode
      const info = yield* this.runs.get(run.id)
      return { resultType: "task", ...this.described(info, "working") }
    }).pipe(Effect.catch(refused))
  }

  /** How a task stands, with its result when it has ended, and what it wants to know if it waits. */
  task(id: string): Effect.Effect<Schema.JsonObject, Failure> {
    return Effect.gen({ self: this }, function* () {
      const [run, info] = yield* this.find(id)
      if (info.status === "running") {
        // whoever asks is a reader for a moment: the time that it may go on alone begins again
        yield* Effect.raceFirst(Stream.runDrain(this.runs.read(id, farAway)), Effect.yieldNow)
        const inputRequests = run.pending as unknown as Schema.JsonObject // it is made of JSON
        return Object.keys(inputRequests).length === 0
          ? { resultType: "complete", ...this.described(info, "working") }
          : { resultType: "complete", ...this.described(info, "input_required"), inputRequests }
      }
      if (info.status === "interrupted") return { resultType: "complete", ...this.described(info, "cancelled") }
      const fold = new McpResult(this.options.classes)
      yield* Stream.runForEach(this.runs.read(id, undefined), (event) => Effect.sync(() => fold.add(event)))
      const { defect } = fold
      if (defect !== undefined) {
        const error = { code: -32603, message: defect }
        return { resultType: "complete", ...this.described(info, "failed"), error }
      }
      const result = encodeResult(fold.result) as Schema.JsonObject
      return { resultType: "complete", ...this.described(info, "completed"), result }
    }).pipe(Effect.catch(refused))
  }

  /** Answers what a task wants to know. */
  updateTask(
    id: string,
    responses: Readonly<Record<string, McpSchema.McpInputResponse>>
  ): Effect.Effect<Schema.JsonObject, Failure> {
    return Effect.gen({ self: this }, function* () {
      const [run] = yield* this.find(id)
      yield* Effect.provideContext(run.answer(responses), this.context)
      return { resultType: "complete" }
    }).pipe(Effect.catch(refused))
  }

  /** Interrupts a task. */
  cancelTask(id: string): Effect.Effect<Schema.JsonObject, Failure> {
    return Effect.gen({ self: this }, function* () {
      yield* this.find(id)
      yield* this.runs.interrupt(id)
      return { resultType: "complete" }
    }).pipe(Effect.catch(refused))
  }

  /** A task, also one that another server began: runs can outlive it. */
  private find(id: string): Effect.Effect<readonly [McpRun, Runs.Info], Runs.RunsError> {
    return Effect.flatMap(this.runs.get(id), (info) => {
      if (this.options.tasks[info.agent] === undefined) {
        return Effect.fail(new Runs.RunsError({ reason: { _tag: "NotFound", id } }))
      }
      return Effect.succeed([this.known.get(id) ?? new McpRun(id), info] as const)
    })
  }

  private described(info: Runs.Info, status: string): Schema.JsonObject {
    const at = (millis: number) => DateTime.formatIso(DateTime.makeUnsafe(millis))
    return {
      taskId: info.id,
      status,
      createdAt: at(info.startedAt),
      lastUpdatedAt: at(info.endedAt ?? info.startedAt),
      ttlMs: Math.floor(Duration.toMillis(Duration.fromInputUnsafe(this.options.linger))),
      pollIntervalMs: 500
    }
  }

  private start(
    served: Served,
    given: unknown,
    request: Request
  ): Effect.Effect<McpRun, McpSchema.InvalidParams | Runs.RunsError> {
    return Effect.gen({ self: this }, function* () {
      const { agent, decode } = served
      const decoded = decode(given ?? {})
      if (Result.isFailure(decoded)) {
        const message = fieldIssues(decoded.failure.issue, given).map(describe).join("; ")
        return yield* new McpSchema.InvalidParams({ message: `The arguments do not fit: ${message}` })
      }
      const run = new McpRun(SecureRandom.uuidV4Unsafe())
      const [input, parameters] = AgentTool.inputOf(agent, decoded.success)
      const approve = yield* this.approveBy(run, request)
      const context = approve === undefined ? this.context : Context.add(this.context, Approval.CurrentApprove, approve)
      // with the services of the server alone: those of the request end with it
      const options = { id: run.id, linger: this.options.linger }
      yield* Effect.setContext(this.runs.start({ agent, input, parameters, options }), context)
      yield* this.forget
      this.known.set(run.id, run)
      return run
    })
  }

  /** Who decides about calls of tools that need approval: the client's user, if there is one and nobody else does. */
  private approveBy(run: McpRun, request: Request): Effect.Effect<Approval.Approve | undefined> {
    return Effect.map(Effect.serviceOption(McpSchema.McpServerClient), (client) => {
      if (this.context.mapUnsafe.has(Approval.CurrentApprove.key)) return undefined
      const { elicitation } = request.clientCapabilities
      const canAsk = elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined)
      if (!canAsk) return undefined
      return Option.isSome(client) ? elicited(client.value) : run.approve
    })
  }

  /** Reads a run to its end, and tells what it says. */
  private result(run: McpRun, tell: Tell | undefined): Effect.Effect<McpSchema.CallToolResult, Runs.RunsError> {
    return Effect.suspend(() => {
      const fold = new McpResult(this.options.classes)
      let said = 0
      const read = Stream.runForEachArray(this.runs.read(run.id, undefined), (events) => {
        const text = events.map((event) => fold.add(event)).join("")
        said += text.length
        const fresh = said > run.told ? text.slice(text.length - (said - run.told)) : ""
        if (tell === undefined || fresh === "") return Effect.void
        run.told = said
        return tell(fresh, said)
      })
      return Effect.map(read, () => {
        this.known.delete(run.id)
        return fold.result
      })
    })
  }

  /** Lets go of runs that nobody came back for. */
  private get forget(): Effect.Effect<void> {
    return Effect.forEach(
      [...this.known.keys()],
      (id) => Effect.catch(this.runs.get(id), () => Effect.sync(() => this.known.delete(id))),
      { discard: true }
    )
  }
}

interface Failure {
  readonly code: number
  readonly message: string
}

/** What is wrong with a request about tasks. */
const refused = ({ message }: { readonly message: string }): Effect.Effect<never, Failure> =>
  Effect.fail({ code: McpSchema.INVALID_PARAMS_ERROR_CODE, message })

/** After all that a run can say. */
const farAway = "999999999.x"

const encodeResult = Schema.encodeSync(Schema.toCodecJson(McpSchema.CallToolResult))

/** How the client wants to be told what is said while its request goes on. */
const tellBy = (server: McpServer.McpServer["Service"], request: Request): Tell | undefined => {
  const metadata = request.requestMetadata
  const progressToken = Predicate.hasProperty(metadata, "progressToken") ? metadata.progressToken : undefined
  if (typeof progressToken !== "string" && typeof progressToken !== "number") return undefined
  return (message, progress) =>
    Effect.provideService(
      Effect.ignore(server.notifications["notifications/progress"]({ progressToken, progress, message })),
      McpSchema.McpRequestContext,
      request
    )
}
