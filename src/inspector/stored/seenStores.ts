/** The stores that a program works with, as far as its calls show them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as DurableRuns from "../../durable/DurableRuns.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import * as Runs from "../../runs/Runs.ts"
import * as Store from "../../store/Store.ts"
import type { Shelf } from "../server/shown.ts"
import type { Program } from "../watch/program.ts"
import { Conversations } from "./conversations.ts"
import { type Kept, Library } from "./library.ts"

export class SeenStores implements Shelf {
  private readonly program: Program
  private readonly runs = new Map<Runs.Service, { readonly kept: Kept; readonly shelf: Shelf }>()
  private readonly conversations = new Map<Store.Service, Shelf>()

  constructor(program: Program) {
    this.program = program
  }

  /** To be told of outermost calls, with the context of who makes them. */
  see(context: Context.Context<never>): void {
    const find = <I, S>(key: Context.Key<I, S>) => Option.getOrUndefined(Context.getOption(context, key))
    const [runs, durable, store] = [find(Runs.Runs), find(DurableRuns.DurableRuns), find(Store.Store)]
    if (store !== undefined && !this.conversations.has(store)) this.conversations.set(store, new Conversations(store))
    if (runs === undefined || durable === undefined || this.runs.has(runs)) return
    const kept: Kept = {
      runs,
      durable,
      find: (agent) => Effect.map(Effect.option(this.program.find(agent)), Option.getOrUndefined),
      context: context as Context.Context<MiniAgents.MiniAgents>, // a call is made in a runtime
      classes: Context.get(context, Store.CurrentClasses)
    }
    this.runs.set(runs, { kept, shelf: new Library(kept) })
  }

  /** What is kept of the runs of a service, where that is known to keep them. */
  keptBy(runs: Runs.Service): Kept | undefined {
    return this.runs.get(runs)?.kept
  }

  private get shelves(): ReadonlyArray<Shelf> {
    return [...[...this.runs.values()].map(({ shelf }) => shelf), ...this.conversations.values()]
  }

  get list(): Shelf["list"] {
    return Effect.map(
      Effect.suspend(() => Effect.forEach(this.shelves, ({ list }) => list)),
      (lists) => lists.flat()
    )
  }

  find(id: string | undefined): ReturnType<Shelf["find"]> {
    if (id === undefined) return Effect.undefined
    return Effect.map(
      Effect.forEach(this.shelves, (shelf) => shelf.find(id)),
      (found) => found.find((shown) => shown !== undefined)
    )
  }
}
