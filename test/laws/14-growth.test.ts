import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  Agent,
  type AgentCall,
  type InteractionContext,
  Message,
  MessagePromise,
  MessageSequence,
  MiniAgents,
  Observer,
  Persistence,
  Replay,
  Transcript
} from "miniagents"
import * as CleanRuntime from "../CleanRuntime.ts"

setFlagsFromString("--expose-gc")
const gc = runInNewContext("gc") as () => void

/** What is only remembered until the next turn of the event loop is gone after two of them. */
const collectGarbage: Effect.Effect<void> = Effect.repeat(
  Effect.callback<void>((resume) => {
    setImmediate(() => {
      gc()
      resume(Effect.void)
    })
  }),
  { times: 1 }
)

/** What stays open while calls of a kind come and go: an agent that never ends, and what is read from it. */
interface Host {
  readonly ctx: InteractionContext.InteractionContext<{}>
  readonly open: MessageSequence.MessageSequence<never>
  readonly promise: MessagePromise.MessagePromise
  readonly numbers: Stream.Stream<number>
  /** A call that takes its time to end. */
  readonly stubborn: AgentCall.AgentCall<never>
}

type Kind = (host: Host) => Effect.Effect<ReadonlyArray<object>, unknown, MiniAgents.MiniAgents>

const echo = Agent.make("Echo", (ctx) => ctx.reply(["said", ctx.messages]))
const failing = Agent.make("Failing", () => Effect.fail("as usual"))
const endless = Agent.make("Endless", (ctx) => Effect.andThen(ctx.reply("on"), Effect.never))
const words = () =>
  Stream.make("a", "b", "c").pipe(
    Stream.rechunk(1),
    Stream.tap(() => Effect.yieldNow)
  )

/** Reads in a fiber that is interrupted while it waits. */
const interrupted = (effect: Effect.Effect<unknown, unknown, MiniAgents.MiniAgents>) =>
  Effect.gen(function* () {
    const marker = {}
    const fiber = yield* Effect.forkChild(Effect.onExit(effect, () => Effect.sync(() => void marker)))
    yield* CleanRuntime.turns(5)
    yield* Fiber.interrupt(fiber)
    return [marker, fiber]
  })

const kinds: Readonly<Record<string, Kind>> = {
  "a call that was read": () =>
    Effect.gen(function* () {
      const replies = yield* echo.trigger("hello")
      const messages = yield* replies.messages
      return [replies, ...messages]
    }),
  "a call that nobody read": () => Effect.map(echo.trigger("hello"), (replies) => [replies]),
  "a failure that was read": () =>
    Effect.gen(function* () {
      const replies = yield* failing.trigger()
      yield* Effect.flip(replies.messages)
      return [replies]
    }),
  "a failure that nobody read": () => Effect.map(failing.trigger(), (replies) => [replies]),
  "a failure as a message": () =>
    Effect.gen(function* () {
      const replies = yield* failing.trigger([], {}, { errorsAsMessages: true })
      return [replies, ...(yield* replies.messages)]
    }),
  "a lazy call that was read": () =>
    Effect.gen(function* () {
      const replies = yield* echo.trigger("hello", {}, { startSoon: false })
      return [replies, ...(yield* replies.messages)]
    }),
  "a call that was interrupted": () =>
    Effect.gen(function* () {
      const call = yield* endless.call()
      const replies = yield* call.replies({ finish: false })
      yield* CleanRuntime.turns(5)
      yield* call.interrupt
      return [call, replies]
    }),
  "a call that was kept open, and finished": () =>
    Effect.gen(function* () {
      const call = yield* echo.call()
      yield* call.send("one")
      yield* call.sendOutOfOrder([words()])
      const replies = yield* call.replies()
      return [call, replies, ...(yield* replies.messages)]
    }),
  "a stream of tokens": () =>
    Effect.gen(function* () {
      const promise = yield* MessagePromise.fromStream(words())
      return [promise, yield* promise.message]
    }),
  "a stream of messages, and one message of it": () =>
    Effect.gen(function* () {
      const sequence = yield* MessageSequence.from([words(), [words()]])
      const single = sequence.single()
      return [sequence, single, yield* single.message, yield* Stream.runCollect(sequence.parts)]
    }),
  "a reader of an open sequence, interrupted": ({ open }) => interrupted(open.messages),
  "a reader of the parts of an open sequence, interrupted": ({ open }) => interrupted(Stream.runDrain(open.parts)),
  "a reader of an unfinished message, interrupted": ({ promise }) => interrupted(promise.message),
  "a reader of the tokens of an unfinished message, interrupted": ({ promise }) =>
    interrupted(Stream.runDrain(promise)),
  "a reader of a replay, interrupted": ({ numbers }) => interrupted(Stream.runDrain(numbers)),
  "a reader of a transcript, interrupted": ({ open }) => interrupted(Stream.runDrain(Transcript.encode(open))),
  "whoever waits until all is idle, interrupted": () => interrupted(MiniAgents.idle),
  "whoever waits for a call to end, interrupted": () =>
    Effect.gen(function* () {
      const call = yield* endless.call()
      const reads = yield* interrupted(Effect.flatMap(call.replies(), (replies) => replies.messages))
      yield* call.interrupt
      return [call, ...reads]
    }),
  "what an open call waited for": ({ ctx }) =>
    Effect.gen(function* () {
      const marker = {}
      yield* ctx.waitFor(Effect.sync(() => void marker))
      yield* ctx.awaitNow
      return [marker]
    }),
  "whoever waits for what an open call waits for, interrupted": ({ ctx }) =>
    Effect.gen(function* () {
      yield* ctx.waitFor(Effect.never)
      return yield* interrupted(ctx.awaitNow)
    }),
  "whoever waits for an interrupted call that does not end, interrupted": ({ stubborn }) =>
    interrupted(stubborn.interrupt),
  "a sequence that is read again by who only watches": () =>
    Effect.gen(function* () {
      const replies = yield* echo.trigger(words())
      yield* replies.messages
      const again = yield* Transcript.decode(Transcript.encode(replies))
      return [replies, again, ...(yield* again.messages)]
    }).pipe(Effect.scoped),
  "messages that were persisted": () =>
    Effect.gen(function* () {
      const message = Message.text(`kept ${yield* Effect.clockWith((clock) => clock.currentTimeNanos)}`)
      yield* Persistence.persist([message])
      return [message]
    })
}

/** A runtime that is watched and persisted, in which an agent stays open. */
const hosted = (kind: Kind) =>
  Effect.gen(function* () {
    const opened = yield* Deferred.make<InteractionContext.InteractionContext<{}>>()
    const staying = Agent.make("Staying", (ctx) =>
      Effect.gen(function* () {
        yield* Deferred.succeed(opened, ctx)
        yield* ctx.reply(["first", pending])
        return yield* Effect.never
      })
    )
    const scope = yield* Effect.scope
    const pending = yield* MessagePromise.fromStream(Stream.never)
    const numbers = yield* Effect.provideService(Replay.make(Stream.never), Scope.Scope, scope)
    const call = yield* staying.call()
    const open = yield* call.replies({ finish: false })
    const leave = yield* Deferred.make<void>()
    const slow = Agent.make("Slow", () => Effect.onInterrupt(Effect.never, () => Deferred.await(leave)))
    const stubborn = yield* slow.call()
    yield* CleanRuntime.turns(5)
    const host: Host = { ctx: yield* Deferred.await(opened), open, promise: pending, numbers, stubborn }
    const refs: Array<WeakRef<object>> = []
    for (let i = 0; i < 6; i++) for (const object of yield* kind(host)) refs.push(new WeakRef(object))
    // what came last may still be on the stack
    const before = refs.slice(0, (refs.length / 6) * 4)
    let left = before
    for (let round = 0; round < 10 && left.length > 0; round++) {
      yield* CleanRuntime.turns(20)
      yield* collectGarbage
      left = before.filter((ref) => ref.deref() !== undefined)
    }
    yield* Deferred.succeed(leave, undefined)
    yield* call.interrupt
    assert.strictEqual(left.length, 0, "are still reachable")
  })

const watched = Layer.mergeAll(
  Observer.layer({ onCall: (call) => Effect.exit(call.replies.messages) }),
  Persistence.layer(() => Effect.void)
)

describe("Law 14, Cost: nothing of what has come and gone is kept", () => {
  for (const [name, kind] of Object.entries(kinds)) {
    it.live(`Law 14, Cost: ${name} is not kept`, () =>
      Effect.scoped(hosted(kind)).pipe(CleanRuntime.abandon, Effect.provide(watched), CleanRuntime.logged)
    )
  }
})
