/** The agents of a program that can be called from outside of it: those that were seen, and those that its file exports. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Tracer from "effect/Tracer"
import * as Tool from "effect/ai/Tool"
import * as Agent from "../../Agent.ts"
import * as DurableRun from "../../durable/run.ts"
import { InteractionContext } from "../../InteractionContext.ts"
import { CurrentArbiter } from "../../internal/call.ts"
import { jsonOf } from "../../llm/model/lossless.ts"
import { CurrentKeep } from "../../llm/model/decided.ts"
import { CurrentNumbering } from "../../internal/place.ts"
import { CurrentTask } from "../../internal/task.ts"
import * as MiniAgents from "../../MiniAgents.ts"
import type * as Observer from "../../Observer.ts"
import * as Runs from "../../runs/Runs.ts"
import type { Callable, Json } from "../wire.ts"

/** An agent whose requirements stand in a context. */
export type AnyAgent = Agent.Agent<unknown, unknown, never>

/** An agent, and where it can be called. */
export interface Known {
  readonly agent: AnyAgent
  readonly context: Context.Context<MiniAgents.MiniAgents>
}

/** What the file of a program exports, and the services that its agents are given where the program does not run them. */
export interface Exported {
  readonly agents: Effect.Effect<ReadonlyArray<AnyAgent>>
  readonly context: Effect.Effect<Context.Context<MiniAgents.MiniAgents>, string>
}

/** The agents of a program, each by its name as it was called last. */
export class Program {
  private readonly seen = new Map<string, Known>()
  private readonly exported: Exported | undefined

  constructor(exported?: Exported) {
    this.exported = exported
  }

  /** To be told of each call, with the context of who makes it. */
  see({ agent }: Observer.Call, context: Context.Context<never>): void {
    if (Agent.isAgent(agent)) this.seen.set(agent.name, { agent, context } as unknown as Known) // its caller has what it requires
  }

  get agents(): Effect.Effect<ReadonlyArray<Callable>> {
    return Effect.map(this.all, (agents) =>
      [...agents.values()].map(callable).sort((a, b) => (a.name < b.name ? -1 : 1))
    )
  }

  /** The agent of a name; fails with a sentence where it cannot be called. */
  find(name: string): Effect.Effect<Known, string> {
    return Effect.gen({ self: this }, function* () {
      const known = this.seen.get(name)
      if (known !== undefined && !isClosed(known)) return { ...known, context: outside(known.context) }
      const agent = (yield* this.fromFile).find((agent) => agent.name === name)
      if (agent === undefined || this.exported === undefined) {
        return yield* Effect.fail(
          known === undefined ? `There is no agent \`${name}\`` : `The runtime in which \`${name}\` ran has closed`
        )
      }
      return { agent, context: yield* this.exported.context }
    })
  }

  private get fromFile(): Effect.Effect<ReadonlyArray<AnyAgent>> {
    return this.exported?.agents ?? Effect.succeed([])
  }

  private get all(): Effect.Effect<ReadonlyMap<string, AnyAgent>> {
    return Effect.map(this.fromFile, (exported) => {
      const seen = [...this.seen].map(([name, { agent }]) => [name, agent] as const)
      return new Map([...seen, ...exported.map((agent) => [agent.name, agent] as const)])
    })
  }
}

const isClosed = ({ context }: Known): boolean =>
  (Context.get(context, MiniAgents.MiniAgents) as ReturnType<typeof MiniAgents.current>).supervisor.closed

/** What belongs to the call, the run or the span in which an agent was seen is not that of who calls it from outside. */
const outside = Context.omit(
  ...([CurrentTask, InteractionContext, Tracer.ParentSpan] as const),
  ...([Runs.CurrentRun, DurableRun.CurrentRun, CurrentNumbering, CurrentArbiter, CurrentKeep] as const)
) as (context: Context.Context<MiniAgents.MiniAgents>) => Context.Context<MiniAgents.MiniAgents>

const callable = ({ description, name, parameters }: AnyAgent): Callable => {
  const schema = Result.getOrElse(
    Result.try(() => Tool.getJsonSchemaFromSchema(parameters)),
    () => ({})
  )
  return { name, parameters: jsonOf(schema) as Json, ...(description === undefined ? {} : { description }) }
}
