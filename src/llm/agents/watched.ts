/** What is around a request of an agent: its budget and its log. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import { CurrentKeep, CurrentKept } from "../model/decided.ts"
import { jsonOf } from "../model/lossless.ts"
import type { InteractionContext } from "../../InteractionContext.ts"
import * as Budget from "../model/Budget.ts"
import * as LlmLogger from "../model/LlmLogger.ts"
import * as PromptLength from "../model/promptLength.ts"
import type * as ModelSettings from "../provider/ModelSettings.ts"
import type * as ToolCalls from "./toolCalls.ts"

interface Asked {
  readonly model: string | undefined
  readonly prompt: Prompt.Prompt
  readonly step: number
  readonly responseFormat: "text" | "json"
  readonly toolkit: ToolCalls.Toolkit | undefined
  readonly toolChoice?: LlmLogger.Request["toolChoice"]
  readonly object?: LlmLogger.Request["object"]
  readonly settings: ModelSettings.Settings
}

/** What sees the parts of a response: the budget and the log. */
export interface Watched {
  readonly take: (parts: ReadonlyArray<Response.AnyPart>) => void
}

/**
 * Makes a request in the budget, and with a log entry, both ended with it however it ends. Where there is neither, the
 * request has nothing around it.
 */
export const watch = <A, E, R>(
  ctx: InteractionContext,
  asked: Asked,
  use: (watched: Watched | undefined) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | Budget.BudgetExceeded, R> =>
  Effect.withFiber(({ context }) => {
    if (!LlmLogger.isOn(context as Context.Context<never>) && Context.get(context, Budget.CurrentBudget) === undefined)
      return use(undefined)
    return Effect.acquireUseRelease(
      open(ctx, asked),
      ({ limit, take }) => limit(use({ take })),
      ({ end }, exit) => end(exit)
    )
  })

/** Whether the model is one whose answers the current run keeps: they come again, whatever the time. */
const isKeptByRun: Effect.Effect<boolean> = Effect.contextWith((context: Context.Context<never>) => {
  const kept = Context.get(context, CurrentKept)
  const model = Context.getOption(context, LanguageModel.LanguageModel)
  return Effect.succeed(Context.get(context, CurrentKeep) !== undefined && Option.isSome(model) && kept === model.value)
})

const open = (ctx: InteractionContext, asked: Asked) =>
  Effect.gen(function* () {
    const { name: agent } = ctx.agent
    const { model, prompt } = asked
    const inputTokens = (yield* Budget.CurrentBudget) === undefined ? 0 : PromptLength.estimate(prompt)
    const provider = Option.getOrUndefined(yield* Effect.serviceOption(Model.ProviderName))
    const call = { agent, model, provider, depth: ctx.trace.length, inputTokens }
    const isKept = yield* isKeptByRun
    const reservation = yield* Budget.reserve(call, isKept)
    const { system: _, ...parameters } = ctx.parameters as { readonly system?: unknown } // it stands in the prompt
    const tools = Object.values(asked.toolkit?.tools ?? {})
    const logged = LlmLogger.openAll({ ...asked, agent, path: ctx.path, parameters: jsonOf(parameters), tools })
    const entry = yield* Effect.onError(logged, () => Effect.sync(() => reservation?.settle()))
    return {
      take: (parts: ReadonlyArray<Response.AnyPart>) => {
        reservation?.add(parts)
        entry?.take(parts)
      },
      limit: <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Budget.BudgetExceeded, R> =>
        reservation?.isTimed === true ? reservation.inTime(effect, isKept) : effect,
      end: (exit: Exit.Exit<unknown, unknown>) =>
        Effect.suspend(() => {
          reservation?.settle()
          return entry?.end(exit) ?? Effect.void
        })
    }
  })
