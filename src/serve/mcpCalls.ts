/** Agents as the tools of an MCP server: a call of a tool is a run. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
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
import type * as Agent from "../Agent.ts"
import { describe, misfits } from "../internal/misfit.ts"
import * as AgentTool from "../llm/agents/AgentTool.ts"
import * as Approval from "../llm/agents/Approval.ts"
import type * as Message from "../Message.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import { McpResult } from "./mcpResult.ts"
import { elicited, McpRun } from "./mcpRun.ts"

/** Its parameters are checked by its tool, and what it requires is in the context of the server. */
export type AnyAgent = Agent.Agent<{}, unknown, never>

export interface Options {
  readonly classes: ReadonlyArray<Message.AnyClass>
  readonly linger: Duration.Input
}

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

  private start(
    served: Served,
    given: unknown,
    request: Request
  ): Effect.Effect<McpRun, McpSchema.InvalidParams | Runs.RunsError> {
    return Effect.gen({ self: this }, function* () {
      const { agent, decode } = served
      const decoded = decode(given ?? {})
      if (Result.isFailure(decoded)) {
        const message = misfits(decoded.failure.issue, given).map(describe).join("; ")
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
