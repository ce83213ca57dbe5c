/** The body of a response that streams: bytes at once, then as they come, and a sign of life when nothing does. */
import type * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Deadlines } from "./deadlines.ts"

/** Calls whoever waits when a heartbeat has passed. */
export type Heartbeats = Deadlines<() => void>

/** What a protocol says first, says when it is silent, and how it says its frames. */
export interface Options {
  /** So that the headers go out, and a proxy passes on what follows. */
  readonly hello: string
  readonly alive: string
  readonly heartbeats: Heartbeats
}

/** The bytes of frames that come in chunks; each chunk is one packet. */
export const make = (frames: Stream.Stream<string>, options: Options): Stream.Stream<Uint8Array> =>
  saying(frames, (frame) => frame, options)

/** The bytes of what is said as frames, in one stage, as it runs for each token of each reader. */
export const saying = <A>(
  told: Stream.Stream<A>,
  say: (item: A) => string,
  options: Options
): Stream.Stream<Uint8Array> => {
  const encoder = new TextEncoder()
  const bytes = Stream.mapArray(told, (chunk) => [
    encoder.encode(chunk.length === 1 ? say(chunk[0]) : chunk.map(say).join(""))
  ])
  return withSigns(bytes, options)
}

/** Bytes as they come, after what is said first, and a sign of life when none do. */
export const withSigns = <E>(
  bytes: Stream.Stream<Uint8Array, E>,
  { alive, heartbeats, hello = "" }: Pick<Options, "alive" | "heartbeats"> & Partial<Options>
): Stream.Stream<Uint8Array, E> =>
  Stream.transformPull(bytes, (pull, scope) => {
    const encoder = new TextEncoder()
    const signed = new Signed(pull, encoder.encode(alive), heartbeats)
    signed.hello = hello === "" ? [] : [encoder.encode(hello)]
    return Effect.as(Scope.addFinalizer(scope, signed.stop), signed.pull)
  })

type Bytes = Arr.NonEmptyReadonlyArray<Uint8Array>

const joined = (all: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(all.reduce((length, some) => length + some.length, 0))
  let at = 0
  for (const some of all) {
    bytes.set(some, at)
    at += some.length
  }
  return bytes
}

/** How often other fibers have their turn before a response begins: an agent that has something to say needs fewer. */
const turns = 12

/** Waits for bytes in a fiber of its own, which outlives a sign of life: a merge of two streams would have two and a queue. */
class Signed<E> {
  private readonly source: Pull.Pull<Bytes, E>
  private readonly sign: Bytes
  private readonly heartbeats: Heartbeats
  /** What is to be said first. */
  hello: ReadonlyArray<Uint8Array> = []
  private fiber: Fiber.Fiber<void> | undefined = undefined
  /** What has come and nobody has taken; the end stays. */
  private ready: Given<E> | undefined = undefined
  /** Lets the fiber go on when that is taken. */
  private goOn: (() => void) | undefined = undefined
  /** Gives something to who waits for it. */
  private give: ((given: Given<E>) => void) | undefined = undefined

  constructor(source: Pull.Pull<Bytes, E>, sign: Uint8Array, heartbeats: Heartbeats) {
    this.source = source
    this.sign = [sign]
    this.heartbeats = heartbeats
  }

  readonly pull: Pull.Pull<Bytes, E> = Effect.withFiber((fiber) => {
    this.fiber ??= Effect.runForkWith(fiber.context)(this.read)
    if (this.hello.length > 0) return this.first
    return this.ready === undefined ? this.next : this.take(this.ready)
  })

  /**
   * What an agent says soon goes out in one packet with what is said first, since each packet costs as much as a call;
   * that waits only a few turns for it.
   */
  private readonly first: Pull.Pull<Bytes, E> = Effect.gen({ self: this }, function* () {
    for (let turn = 0; turn < turns && this.ready === undefined; turn++) yield* Effect.yieldNow
    const { hello, ready } = this
    this.hello = []
    const bytes = ready === undefined || Exit.isFailure(ready) ? [] : ready.value
    if (bytes.length > 0) this.take(ready!)
    return [joined([...hello, ...bytes])]
  })

  readonly stop: Effect.Effect<void> = Effect.suspend(() =>
    this.fiber === undefined ? Effect.void : Fiber.interrupt(this.fiber)
  )

  private take(ready: Given<E>): Given<E> {
    if (Exit.isFailure(ready)) return ready
    this.ready = undefined
    this.goOn?.()
    return ready
  }

  private readonly next: Pull.Pull<Bytes, E> = Effect.callback((resume) => {
    this.give = resume
    this.heartbeats.addUnsafe(this.beat)
    return Effect.sync(() => this.forget())
  })

  private readonly beat = (): void => this.hand(Exit.succeed(this.sign))

  private forget(): void {
    this.give = undefined
    this.heartbeats.removeUnsafe(this.beat)
  }

  /** Gives something to who waits. */
  private hand(given: Given<E>): void {
    const { give } = this
    this.forget()
    give?.(given)
  }

  private readonly read: Effect.Effect<void> = Effect.matchCauseEffect(
    Effect.suspend(() => this.source),
    {
      onSuccess: (bytes) => {
        if (this.give === undefined) return this.wait(Exit.succeed(bytes))
        this.hand(Exit.succeed(bytes))
        return this.read
      },
      onFailure: (cause) => {
        this.ready = Exit.failCause(cause)
        this.hand(this.ready)
        return Effect.void
      }
    }
  )

  private wait(given: Given<E>): Effect.Effect<void> {
    this.ready = given
    const taken = Effect.callback<void>((resume) => {
      this.goOn = () => resume(Effect.void)
    })
    return Effect.flatMap(taken, () => this.read)
  }
}

type Given<E> = Exit.Exit<Bytes, E | Cause.Done>

export const headers = { "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" } as const
