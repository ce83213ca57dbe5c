/** The lines of a process that calls to those that run what it calls: one for each of them, whatever the number of calls. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as EntityId from "effect/cluster/EntityId"
import type * as Sharding from "effect/cluster/Sharding"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as protocol from "./protocol.ts"

export type Client = Effect.Success<ReturnType<typeof protocol.entity>["client"]>

/** A call, as its line sees it. */
export interface Caller {
  readonly take: (said: ReadonlyArray<protocol.Said>) => void
  /** Its process is out of reach; whether it may have begun there. */
  readonly lost: (mayHaveBegun: boolean) => void
}

/** How many milliseconds a process may be silent that was asked something that it answers at once. */
const patience = 1500
/** How often a process that says nothing is looked for, and one whose entities say that they are in another one. */
const tries = { silent: 8, denied: 2 }
/** How many entities are tried beside those that a process has named. */
const guesses = 30
/** How many silences a line without calls is kept for. */
const idle = 30

/** The lines of one agent's callers. */
export class Links {
  readonly client: Client
  readonly scope: Scope.Scope
  private readonly sharding: Sharding.Sharding["Service"]
  private readonly ofProcess = new Map<string, Link>()
  private readonly ofShard = new Map<string, Link>()

  constructor(client: Client, sharding: Sharding.Sharding["Service"], scope: Scope.Scope) {
    this.client = client
    this.sharding = sharding
    this.scope = scope
  }

  /** The line to where an entity was last, if that is known and calls are begun there at once. */
  at(entity: string): Link | undefined {
    return this.ofShard.get(this.shardOf(entity))
  }

  /** That an entity is not there any more. */
  isNotAt(entity: string): void {
    this.ofShard.delete(this.shardOf(entity))
  }

  /** The line to a process that was found at an entity. */
  to(entity: string, opened: Extract<protocol.Opened, { _tag: "opened" }>): Effect.Effect<Link> {
    return Effect.suspend(() => {
      const known = this.ofProcess.get(opened.process)
      const link = known ?? new Link(this, opened)
      this.ofProcess.set(opened.process, link)
      if (protocol.isAnyEntity(entity) && !link.isLeaving) this.ofShard.set(this.shardOf(entity), link)
      return known === undefined ? Effect.as(link.open, link) : Effect.succeed(link)
    })
  }

  forget(link: Link): void {
    this.ofProcess.delete(link.process)
    this.leaves(link)
  }

  /** New calls go elsewhere. */
  leaves(link: Link): void {
    for (const [shard, one] of this.ofShard) if (one === link) this.ofShard.delete(shard)
  }

  /** Ends all lines: what is under way is lost. */
  readonly close = Effect.suspend(() =>
    Effect.forEach([...this.ofProcess.values()], (link) => link.leaveAll, { concurrency: "unbounded", discard: true })
  )

  private shardOf(entity: string): string {
    return this.sharding.getShardId(EntityId.make(entity), "default").toString()
  }
}

/**
 * Invariants:
 * 1. What is ordered reaches the process once, in order: it is said again only as what it was said as.
 * 2. What is said about the calls is taken once, in order.
 * 3. A process that leaves is told that this is known when all calls that were ordered there have been heard of: until then
 *    it is there.
 */
export class Link {
  readonly process: string
  readonly isDurable: boolean
  private readonly links: Links
  private readonly line = SecureRandom.uuidV4Unsafe()
  /** Entities of the process, those first that were found last. */
  private near: ReadonlyArray<string>
  private readonly callers = new Map<number, Caller>()
  private count = 0
  private orders: Array<protocol.OfCall> = []
  private readonly ordered = Latch.makeUnsafe()
  /** How many calls were ordered and not yet heard of. */
  private unheard = 0
  private readonly heard = Latch.makeUnsafe(true)
  /** Whether the process has said that it takes nothing new. */
  isLeaving = false
  private said = 0
  private asked = 0
  /** The last batch that was taken, and those that came before the one that is next. */
  private had = 0
  private readonly early = new Map<number, protocol.Batch>()
  private silences = 0
  private readonly reaching = Semaphore.makeUnsafe(1)
  private fibers: ReadonlyArray<Fiber.Fiber<unknown>> = []

  constructor(links: Links, { durable, near, process }: Extract<protocol.Opened, { _tag: "opened" }>) {
    this.links = links
    this.process = process
    this.isDurable = durable
    this.near = near
  }

  /** Listens and talks until it ends. */
  get open(): Effect.Effect<void> {
    return Effect.map(
      Effect.forEach([this.listening, this.talking, this.holding], (loop) => Effect.forkIn(loop, this.links.scope)),
      (fibers) => void (this.fibers = fibers)
    )
  }

  /** Adds a call, and gives its number. */
  join(caller: Caller): number {
    this.callers.set(++this.count, caller)
    return this.count
  }

  leave(n: number): void {
    this.callers.delete(n)
  }

  order(order: protocol.OfCall): void {
    this.orders.push(order)
    if (begins(order)) this.unheard++
    if (this.unheard > 0) this.heard.closeUnsafe()
    this.ordered.openUnsafe()
  }

  /** Ends it; what may have begun is lost, the rest can be begun elsewhere. */
  end(): void {
    this.links.forget(this)
    const unsaid = new Set(this.orders.flatMap((order) => (begins(order) ? [order.n] : [])))
    this.orders = []
    for (const [n, caller] of this.callers) caller.lost(!unsaid.has(n))
    this.callers.clear()
    for (const fiber of this.fibers) fiber.interruptUnsafe()
  }

  /** Ends it, and lets the process know, which would wait for who is not there. */
  get leaveAll(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.end()
      const { had, line, process } = this
      const [entity = protocol.anyEntity()] = this.near
      const orders: ReadonlyArray<protocol.Order> = [{ _tag: "leave" }]
      const json = JSON.stringify({ process, line, at: ++this.said, had, orders } satisfies protocol.Talk)
      return Effect.ignoreCause(
        Effect.interruptible(Effect.timeout(this.links.client(entity).Talk({ json }), patience))
      )
    })
  }

  private get talking(): Effect.Effect<void> {
    return Effect.forever(
      Effect.andThen(
        this.ordered.await,
        Effect.suspend(() => {
          const { had, line, orders, process } = this
          this.orders = []
          this.ordered.closeUnsafe()
          const json = JSON.stringify({ process, line, at: ++this.said, had, orders } satisfies protocol.Talk)
          const heard = this.asking((entity) => Effect.timeout(this.links.client(entity).Talk({ json }), patience))
          return Effect.map(heard, (answer) => {
            this.unheard -= orders.filter(begins).length
            if (this.unheard === 0) this.heard.openUnsafe()
            if (answer !== "here") this.take(answer)
          })
        })
      )
    )
  }

  private get listening(): Effect.Effect<void> {
    const listen = Effect.suspend(() => {
      const { had, line, process } = this
      const json = JSON.stringify({ process, line, asked: ++this.asked, had } satisfies protocol.Listen)
      return this.asking((entity) =>
        Effect.timeout(this.links.client(entity).Listen({ json }), protocol.silence + patience)
      )
    })
    const known = Effect.suspend(() => (this.isLeaving ? this.heard.await : Effect.void))
    return Effect.forever(Effect.map(Effect.andThen(known, listen), (json) => this.take(json)))
  }

  /** The process knows by this that its caller is there. */
  private get holding(): Effect.Effect<void> {
    const json = JSON.stringify({ process: this.process, line: this.line } satisfies protocol.Hold)
    return Effect.forever(this.asking((entity) => this.links.client(entity).Hold({ json })))
  }

  private take(json: string): void {
    const batch = JSON.parse(json) as protocol.Batch
    if (batch.at === 0 && this.callers.size === 0 && ++this.silences > idle) return this.end()
    if (batch.at <= this.had) return
    this.silences = 0
    this.early.set(batch.at, batch)
    for (let next = this.early.get(this.had + 1); next !== undefined; next = this.early.get(this.had + 1)) {
      this.early.delete(++this.had)
      if (next.near !== undefined) this.near = next.near
      if (next.leaving === true) {
        this.isLeaving = true
        this.links.leaves(this)
      }
      for (const [n, said] of next.said) this.callers.get(n)?.take(said)
    }
  }

  /** Asks until there is an answer, at whatever entity the process can be reached; ends the line if it cannot. */
  private asking<E>(ask: (entity: string) => Effect.Effect<string, E>): Effect.Effect<string> {
    return Effect.suspend(() => {
      const [entity = protocol.anyEntity()] = this.near
      return Effect.matchCauseEffect(ask(entity), {
        onSuccess: (answer) => {
          if (answer === "gone") return this.lost
          return answer === "elsewhere" ? this.again(entity, ask) : Effect.succeed(answer)
        },
        onFailure: () => this.again(entity, ask)
      })
    })
  }

  private again<E>(entity: string, ask: (entity: string) => Effect.Effect<string, E>): Effect.Effect<string> {
    return Effect.andThen(this.reach(entity), this.asking(ask))
  }

  private readonly lost = Effect.suspend(() => {
    this.end()
    return Effect.never // until it is interrupted
  })

  /** Finds the process again, which did not answer at an entity. */
  private reach(entity: string): Effect.Effect<void> {
    const found = Effect.gen({ self: this }, function* () {
      let [silent, denied] = [0, 0]
      while (this.near[0] === entity || this.near.length === 0) {
        const entities = [...this.near, ...Array.from({ length: guesses }, protocol.anyEntity)]
        const answers = yield* this.askAll(entities)
        const here = entities.find((_, i) => answers[i] === "here")
        if (here !== undefined) {
          this.near = [here, ...this.near.filter((other) => other !== here)].slice(0, 8)
          return
        }
        if (answers.includes("gone")) return yield* this.lost
        // others have what was its
        if (this.near.every((_, i) => answers[i] === "elsewhere")) denied++
        else silent++
        const most = this.isDurable ? 1 : tries.silent
        if (silent >= most || denied >= Math.min(most, tries.denied)) return yield* this.lost
      }
    })
    return this.reaching.withPermits(1)(found)
  }

  /** What entities say to a question that any process can answer, as far as they do in time. */
  private askAll(entities: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string | undefined>> {
    const { line, process } = this
    const json = JSON.stringify({ process, line, at: 0, had: 0, orders: [] } satisfies protocol.Talk)
    const answers: Array<string | undefined> = entities.map(() => undefined)
    const all = Effect.forEach(
      entities,
      (entity, i) =>
        Effect.matchCauseEffect(this.links.client(entity).Talk({ json }), {
          onSuccess: (answer) => {
            answers[i] = answer
            return answer === "elsewhere" ? Effect.void : Effect.fail(answer) // nothing else needs to be known
          },
          onFailure: () => Effect.void
        }),
      { concurrency: "unbounded", discard: true }
    )
    return Effect.as(Effect.ignore(Effect.timeout(all, patience)), answers)
  }
}

/** Whether an order begins a call. */
const begins = ({ _tag }: protocol.OfCall): boolean => _tag === "run" || _tag === "begin"
