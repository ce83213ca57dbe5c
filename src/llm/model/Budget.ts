/**
 * Budgets: limits on what a whole tree of agents may spend. They limit calls of models, tokens, money, time, and how
 * deep agents may call agents.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Model from "effect/ai/Model"
import type * as Response from "effect/ai/Response"
import { InteractionContext } from "../../InteractionContext.ts"
import { CurrentBegin, decided } from "./decided.ts"
import type * as Message from "../../Message.ts"
import { type Billed, billedOf } from "./billed.ts"
import { tokensOf } from "./promptLength.ts"

/**
 * The limits of a budget; what is left out is not limited. `cost` is in the unit of `CurrentPrice` (dollars with
 * `Pricing.layer`), `wallTime` counts from when the budget was made, and `depth` is how many levels of agents may call
 * each other below where it was made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  readonly calls?: number
  readonly tokens?: number
  readonly cost?: number
  readonly wallTime?: Duration.Input
  readonly depth?: number
}

/**
 * The tokens of a call: as the provider says, and about as many as it seems where it does not. `inputTokens` includes
 * those that were read from the provider's cache or written to it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tokens extends Required<Omit<Message.Usage, "reasoningTokens">> {}

/**
 * The calls, tokens and costs that were spent. A request that still runs counts with what was reserved for it and the
 * tokens it has produced so far. Requests that were repeated, or made by another model, count too.
 *
 * @since 0.1.0
 * @category models
 */
export interface Spent extends Tokens {
  readonly calls: number
  readonly cost: number
}

/**
 * A budget. What the agents under it spend is charged to it, and to the budgets that it was made in.
 *
 * In a durable run its time goes on from where the budget was made first, however often the run was cut off.
 *
 * Invariants:
 * 1. Nothing is checked and reserved in two steps, so that calls at the same time cannot exceed it together.
 * 2. Each reserved call is settled once: with what the provider says it cost, or else with what was reserved and given.
 *
 * @since 0.1.0
 * @category models
 */
export interface Budget {
  readonly limits: Limits
  readonly usage: Effect.Effect<Spent>
}

/**
 * A call would exceed a budget. It names the limit, how much the limit allows, and how much it would have been with
 * this call.
 *
 * @since 0.1.0
 * @category errors
 */
export class BudgetExceeded extends Schema.TaggedError<BudgetExceeded>()("BudgetExceeded", {
  agent: Schema.String,
  limit: Schema.Literals(["calls", "tokens", "cost", "wallTime", "depth"]),
  allowed: Schema.Finite,
  needed: Schema.Finite
}) {
  override get message(): string {
    const unit = this.limit === "wallTime" ? " ms" : ""
    return `\`${this.agent}\` needs ${this.needed}${unit} of \`${this.limit}\`, its budget allows ${this.allowed}${unit}`
  }
}

/**
 * The cost of a call, by its model and its tokens, of which those that were cached have prices of their own.
 *
 * **Example**
 *
 * ```ts
 * import { Budget } from "miniagents/llm"
 *
 * // in dollars for a million tokens: 3 to read, 0.3 from the cache, 3.75 into the cache, 15 to write
 * const price: Budget.Price = ({ inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }) =>
 *   ((inputTokens - cacheReadTokens - cacheWriteTokens) * 3 + cacheReadTokens * 0.3 + cacheWriteTokens * 3.75 +
 *     outputTokens * 15) / 1_000_000
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type Price = (
  call: Tokens & {
    readonly model: string | undefined
    /** The provider of the model, by its name in spans. */
    readonly provider?: string | undefined
    /** Of the tokens that were written to the cache, those that are kept for an hour. */
    readonly longCacheWriteTokens?: number
  }
) => number

/**
 * The function that gives the price of a call. By default calls cost nothing. If the provider reports what a call cost,
 * that is its price.
 *
 * @see `Pricing.layer` for what models cost
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentPrice: Context.Reference<Price> = Context.Reference<Price>("miniagents/llm/Budget/CurrentPrice", {
  defaultValue: () => () => 0
})

/**
 * The budget that calls are charged to. By default there is none.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentBudget: Context.Reference<Budget | undefined> = Context.Reference<Budget | undefined>(
  "miniagents/llm/Budget/CurrentBudget",
  { defaultValue: () => undefined }
)

/**
 * Makes a budget. Inside an effect that has a budget already, both are charged.
 *
 * **When to use**
 *
 * To limit what a part of a program may spend, with `withBudget`, and to read what it has spent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (limits: Limits): Effect.Effect<Budget> =>
  Effect.gen(function* () {
    for (const [name, limit] of Object.entries(limits)) {
      if (!Number.isNaN(limit)) continue
      return yield* Effect.die(new Error(`\`${name}\` of a budget must be a number, got \`NaN\``))
    }
    const parent = yield* CurrentBudget
    const caller = yield* Effect.serviceOption(InteractionContext)
    const depth = Option.isSome(caller) ? caller.value.trace.length : 0
    const started = yield* decided("beginning", "budget", Clock.currentTimeMillis)
    return new BudgetImpl(limits, parent as BudgetImpl | undefined, depth, started)
  })

/**
 * Charges to a budget what the agents spend that are triggered inside an effect, and all agents that these trigger.
 *
 * **When to use**
 *
 * To limit what one call of a program may spend. `layer` limits all calls together.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Budget, LlmAgent } from "miniagents/llm"
 *
 * const writer = LlmAgent.make("Writer")
 *
 * const program = Effect.gen(function*() {
 *   const budget = yield* Budget.make({ calls: 10, tokens: 100_000, wallTime: "2 minutes" })
 *   const replies = yield* writer.trigger("A story").pipe(Budget.withBudget(budget))
 *   const text = yield* replies.text // can fail with `BudgetExceeded`
 *   return [text, yield* budget.usage]
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withBudget =
  (budget: Budget) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, CurrentBudget, budget)

/**
 * A budget for everything that runs with the Layer.
 *
 * **When to use**
 *
 * To limit what a whole program, or everything for one tenant, may spend.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (limits: Limits): Layer.Layer<never> => Layer.effect(CurrentBudget, make(limits))

/** Who wants to call which model. @internal */
export interface Call {
  readonly agent: string
  readonly model: string | undefined
  readonly provider?: string | undefined
  readonly depth: number
  /** About how many tokens the prompt has. */
  readonly inputTokens: number
  /** About how many tokens it has given already. */
  readonly outputTokens?: number
}

/** A call that was allowed. @internal */
export class Reservation implements Tokens {
  inputTokens: number
  outputTokens: number
  cacheReadTokens = 0
  cacheWriteTokens = 0
  private longCacheWriteTokens = 0
  private saidCost: number | undefined = undefined
  private open = true
  private readonly chain: ReadonlyArray<BudgetImpl>
  private readonly call: Call
  private readonly price: Price

  constructor(chain: ReadonlyArray<BudgetImpl>, call: Call, price: Price) {
    this.chain = chain
    this.call = call
    this.price = price
    this.inputTokens = call.inputTokens
    this.outputTokens = call.outputTokens ?? 0
  }

  get cost(): number {
    const { cacheReadTokens, cacheWriteTokens, call, inputTokens, longCacheWriteTokens, outputTokens } = this
    const { model, provider } = call
    const tokens = { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, longCacheWriteTokens }
    return this.saidCost ?? this.price({ model, provider, ...tokens })
  }

  /** Counts the tokens as they come, and at the end what the provider says. */
  add(parts: ReadonlyArray<Response.AnyPart>): void {
    for (const part of parts) {
      if (part.type === "text-delta" || part.type === "reasoning-delta" || part.type === "tool-params-delta")
        this.outputTokens += Math.max(1, Math.round(part.delta.length / 4)) // some providers give many tokens at once
      else if (part.type === "text" || part.type === "reasoning") this.outputTokens += tokensOf(part.text.length)
      else if (part.type === "finish") this.bill(billedOf(part))
    }
  }

  private bill(billed: Billed): void {
    this.inputTokens = billed.inputTokens ?? this.inputTokens
    this.outputTokens = billed.outputTokens ?? this.outputTokens
    this.cacheReadTokens = billed.cacheReadTokens
    this.cacheWriteTokens = billed.cacheWriteTokens
    this.longCacheWriteTokens = billed.longCacheWriteTokens
    this.saidCost = billed.cost
  }

  /** The call is over: what it has cost is final. */
  settle(): void {
    if (!this.open) return
    this.open = false
    for (const budget of this.chain) budget.settle(this)
  }

  /** Fails when the time of a budget is over; of what is kept, only what is asked anew takes time. */
  inTime<A, E, R>(effect: Effect.Effect<A, E, R>, isKept: boolean): Effect.Effect<A, E | BudgetExceeded, R> {
    if (!isKept) return Effect.raceFirst(effect, this.timeIsOver)
    return Effect.suspend(() => {
      const begun = Latch.makeUnsafe()
      const begin = Effect.flatMap(Clock.currentTimeMillis, (now) => {
        begun.openUnsafe()
        return this.chain.some(({ deadline }) => deadline !== undefined && deadline.at <= now)
          ? Effect.never
          : Effect.void
      })
      return Effect.raceFirst(
        Effect.provideService(effect, CurrentBegin, begin),
        Effect.andThen(begun.await, this.timeIsOver)
      )
    })
  }

  /** Fails when the time of a budget is over; never, where it is not limited. */
  private get timeIsOver(): Effect.Effect<never, BudgetExceeded> {
    const limits = this.chain.flatMap((budget) => budget.deadline ?? [])
    if (limits.length === 0) return Effect.never
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const [first] = limits.sort((a, b) => a.at - b.at)
      const { agent } = this.call
      const exceeded = new BudgetExceeded({ agent, limit: "wallTime", allowed: first.allowed, needed: first.allowed })
      return Effect.delay(Effect.fail(exceeded), Math.max(0, first.at - now))
    })
  }

  get isTimed(): boolean {
    return this.chain.some((budget) => budget.deadline !== undefined)
  }
}

/** Reserves a call in the current budget and those around it; time is no matter yet for what may be kept. @internal */
export const reserve = (call: Call, isKept = false): Effect.Effect<Reservation | undefined, BudgetExceeded> =>
  Effect.gen(function* () {
    const budget = yield* CurrentBudget
    if (!(budget instanceof BudgetImpl)) return undefined
    const price = yield* CurrentPrice
    const now = yield* Clock.currentTimeMillis
    const chain = budget.chain
    const reservation = new Reservation(chain, call, price)
    const { cost } = reservation
    if (!Number.isFinite(cost)) {
      return yield* Effect.die(
        new Error(`\`CurrentPrice\` gave \`${cost}\` for \`${call.model}\`: give a finite number`)
      )
    }
    for (const each of chain) {
      const exceeded = each.refusal(call, cost, isKept ? Number.NEGATIVE_INFINITY : now)
      if (exceeded !== undefined) return yield* exceeded
    }
    for (const each of chain) each.open.add(reservation)
    return reservation
  })

/** Counts a request that was made beside the one that is answered: nobody could refuse it. @internal */
export const charge = (spent: Pick<Call, "inputTokens" | "outputTokens">): Effect.Effect<void> =>
  Effect.gen(function* () {
    const budget = yield* CurrentBudget
    if (!(budget instanceof BudgetImpl)) return
    const model = Option.getOrUndefined(yield* Effect.serviceOption(Model.ModelName))
    const provider = Option.getOrUndefined(yield* Effect.serviceOption(Model.ProviderName))
    const call = { agent: "", model, provider, depth: 0, ...spent } // who made it matters only where it is refused
    new Reservation(budget.chain, call, yield* CurrentPrice).settle()
  })

class BudgetImpl implements Budget {
  readonly limits: Limits
  readonly open = new Set<Reservation>()
  private readonly parent: BudgetImpl | undefined
  private readonly depth: number
  private readonly started: number
  private spent: Spent = nothing

  constructor(limits: Limits, parent: BudgetImpl | undefined, depth: number, started: number) {
    this.limits = limits
    this.parent = parent
    this.depth = depth
    this.started = started
  }

  get chain(): ReadonlyArray<BudgetImpl> {
    return this.parent === undefined ? [this] : [this, ...this.parent.chain]
  }

  get usage(): Effect.Effect<Spent> {
    return Effect.sync(() => this.now)
  }

  get deadline(): { readonly at: number; readonly allowed: number } | undefined {
    if (this.limits.wallTime === undefined) return undefined
    const allowed = Duration.toMillis(this.limits.wallTime)
    return { at: this.started + allowed, allowed }
  }

  refusal(call: Call, cost: number, now: number): BudgetExceeded | undefined {
    const used = this.now
    const { limits } = this
    const elapsed = now - this.started
    const needs = [
      ["calls", limits.calls, used.calls + 1],
      ["tokens", limits.tokens, used.inputTokens + used.outputTokens + call.inputTokens],
      ["cost", limits.cost, used.cost + cost],
      ["depth", limits.depth, call.depth - this.depth]
    ] as const
    const { agent } = call
    for (const [limit, allowed, needed] of needs) {
      if (allowed !== undefined && needed > allowed) return new BudgetExceeded({ agent, limit, allowed, needed })
    }
    const { deadline } = this
    if (deadline === undefined || now < deadline.at) return undefined
    return new BudgetExceeded({ agent, limit: "wallTime", allowed: deadline.allowed, needed: elapsed })
  }

  settle(reservation: Reservation): void {
    this.open.delete(reservation)
    this.spent = plus(this.spent, reservation)
  }

  private get now(): Spent {
    let usage = this.spent
    for (const reservation of this.open) usage = plus(usage, reservation)
    return usage
  }
}

const nothing: Spent = {
  calls: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  cost: 0
}

const plus = (spent: Spent, call: Reservation): Spent => ({
  calls: spent.calls + 1,
  inputTokens: spent.inputTokens + call.inputTokens,
  outputTokens: spent.outputTokens + call.outputTokens,
  cacheReadTokens: spent.cacheReadTokens + call.cacheReadTokens,
  cacheWriteTokens: spent.cacheWriteTokens + call.cacheWriteTokens,
  cost: spent.cost + call.cost
})

/** What a response has cost, by the current price. @internal */
export const costOf = (
  model: string | undefined,
  provider: string | undefined,
  finish: Response.FinishPart
): Effect.Effect<number> =>
  Effect.map(CurrentPrice, (price) => {
    const { cost, inputTokens = 0, outputTokens = 0, ...tokens } = billedOf(finish)
    return cost ?? price({ model, provider, inputTokens, outputTokens, ...tokens })
  })
