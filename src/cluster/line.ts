/** The line of a caller to a process, in that process: the calls that it has here, and what is said about them. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as protocol from "./protocol.ts"
import type { Served } from "./servedCall.ts"

/** How much is said at once at most, in characters; what a call says beside that waits in the agent's own replies. */
const most = 256 * 1024
/** How long the calls of a caller go on that holds its line no more: it may only have lost the way. */
const linger = 3000
/** How long a line is kept whose caller has yet to hold it. */
const atFirst = 10_000

/** How many times others may go on before it is said that nothing was said yet. */
const moments = 40
/** Nothing was said. */
const nothing = `{"at":0,"said":[]}`

/** A call in this process. It counts until its caller has had the end of it. */
export interface Attempt {
  readonly served: Served
  /** Gives back its turn. */
  readonly release: Effect.Effect<void>
  /** It counts no longer. */
  readonly done: () => void
  fiber: Fiber.Fiber<void> | undefined
}

export class Line {
  /** How many orders were heard. */
  at = 0
  private readonly attempts = new Map<number, Attempt>()
  private readonly filled = Latch.makeUnsafe()
  private readonly room = Latch.makeUnsafe(true)
  private said: Array<string> = []
  private size = 0
  /** The calls whose end is among what is said next. */
  private ending: Array<Pick<Attempt, "done">> = []
  /** Those whose end was said, by the number of the batch, until it is known that it was heard. */
  private ended: ReadonlyArray<readonly [at: number, attempt: Pick<Attempt, "done">]> = []
  /** What was said last to who listens, and to who talks. */
  private last: { readonly at: number; readonly text: string } | undefined = undefined
  answer: string = "here"
  private listens = 0
  private talks = 0
  private batches = 0
  private near: ReadonlyArray<string> | undefined = undefined
  private holders = 0
  private letGoAt: number
  private isGone = false
  /** The caller is yet to be told that this process takes nothing new. */
  private isLeaving = false

  constructor(now: number) {
    this.letGoAt = now + atFirst - linger
  }

  get(n: number): Served | undefined {
    return this.attempts.get(n)?.served
  }

  /** Whether nobody holds the line for so long that its caller must be gone. */
  isAbandoned(now: number): boolean {
    return this.holders === 0 && now - this.letGoAt > linger
  }

  /** Holds the line until it is interrupted. */
  get hold(): Effect.Effect<never> {
    return Effect.ensuring(
      Effect.suspend(() => {
        this.holders++
        return Effect.never
      }),
      Effect.map(Clock.currentTimeMillis, (now) => {
        this.holders--
        this.letGoAt = now
      })
    )
  }

  /** Runs an attempt as call `n`. */
  begin(n: number, attempt: Attempt, running: Effect.Effect<void>, owner: Scope.Scope): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.attempts.set(n, attempt)
      return Effect.map(Effect.forkIn(running, owner), (fiber) => void (attempt.fiber = fiber))
    })
  }

  /** Says something; waits as long as what was said before is not taken. */
  say(n: number, said: ReadonlyArray<protocol.Said>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isGone) return Effect.void
      this.put(n, said)
      return this.size < most
        ? Effect.void
        : Effect.andThen(
            Effect.sync(() => this.room.closeUnsafe()),
            this.room.await
          )
    })
  }

  /** Says the last of a call. */
  end(n: number, attempt: Attempt, said: ReadonlyArray<protocol.Said>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.attempts.delete(n)
      if (this.isGone) attempt.done()
      else {
        this.put(n, said)
        this.ending.push(attempt)
      }
      return attempt.release
    })
  }

  /** The batches up to this one were heard. */
  heard(had: number): void {
    if (this.ended.length === 0) return
    for (const [at, attempt] of this.ended) if (at <= had) attempt.done()
    this.ended = this.ended.filter(([at]) => at > had)
  }

  private put(n: number, said: ReadonlyArray<protocol.Said>): void {
    const text = `[${n},${JSON.stringify(said)}]`
    this.said.push(text)
    this.size += text.length
    this.filled.openUnsafe()
  }

  /** What was said since `had`, as soon as there is something, and nothing after a while. */
  listen({ asked, had }: protocol.Listen, near: () => ReadonlyArray<string>): Effect.Effect<string> {
    return Effect.suspend(() => {
      if (had > this.batches) return Effect.succeed("gone") // what it was is forgotten
      this.heard(had)
      // whoever asks again has not had an answer
      if (this.last?.at === asked) return Effect.succeed(this.last.text)
      const mine = ++this.listens
      return Effect.map(Effect.timeoutOption(this.something, protocol.silence), () => {
        if (mine !== this.listens) return nothing
        const text = this.batch(near())
        this.last = { at: asked, text }
        return text
      })
    })
  }

  /** Waits until there is something to say that who talks does not take along. */
  private get something(): Effect.Effect<void> {
    return Effect.andThen(
      this.filled.await,
      Effect.suspend(() => {
        if ((this.said.length > 0 || this.isLeaving) && this.talks === 0) return Effect.void
        return Effect.andThen(Effect.yieldNow, this.something)
      })
    )
  }

  /** What is said at once about calls that were begun, so that a short one costs one message there and one back. */
  soon(begun: ReadonlyArray<number>, near: () => ReadonlyArray<string>): Effect.Effect<string> {
    const isOver = () => begun.every((n) => !this.attempts.has(n))
    return Effect.gen({ self: this }, function* () {
      this.talks++
      for (let i = 0; i < moments && !isOver(); i++) yield* Effect.yieldNow
      this.talks--
      this.answer = this.said.length === 0 ? "here" : this.batch(near())
      return this.answer
    })
  }

  private batch(near: ReadonlyArray<string>): string {
    const told = near === this.near ? "" : `,"near":${JSON.stringify(near)}`
    if (this.said.length === 0 && told === "" && !this.isLeaving) return nothing
    const at = ++this.batches
    const leaving = this.isLeaving ? `,"leaving":true` : ""
    const text = `{"at":${at},"said":[${this.said.join(",")}]${told}${leaving}}`
    this.isLeaving = false
    this.near = near
    this.said = []
    this.size = 0
    this.ended = [...this.ended, ...this.ending.map((attempt) => [at, attempt] as const)]
    this.ending = []
    this.filled.closeUnsafe()
    this.room.openUnsafe()
    return text
  }

  /** Interrupts a call, which says that it is over when it is. */
  stop(n: number): Effect.Effect<void> {
    return this.get(n)?.interrupt ?? Effect.void
  }

  /**
   * Has those calls go on elsewhere that can, and tells the caller that this process takes nothing new: what it orders
   * until it has heard that is still answered. `done` is called when it has.
   */
  letGo(done: () => void): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isLeaving = true
      this.ending.push({ done })
      this.filled.openUnsafe()
      return this.each(({ fiber, served }) => (served.isDurable ? interrupted(fiber) : Effect.void))
    })
  }

  /** Interrupts the others. */
  get cut(): Effect.Effect<void> {
    return this.each(({ served }) => {
      served.isCut = true
      return served.stop
    })
  }

  /** Ends the line, and what of its calls is only here; nobody is told. */
  get leave(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isGone = true
      this.said = []
      this.room.openUnsafe()
      this.heard(this.batches)
      for (const attempt of this.ending) attempt.done()
      this.ending = []
      return this.each(({ fiber, served }) => Effect.andThen(served.stop, interrupted(fiber)))
    })
  }

  private each(what: (attempt: Attempt) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.attempts.values()], what, { concurrency: "unbounded", discard: true })
    )
  }
}

const interrupted = (fiber: Fiber.Fiber<void> | undefined): Effect.Effect<void> =>
  fiber === undefined ? Effect.void : Fiber.interrupt(fiber)
