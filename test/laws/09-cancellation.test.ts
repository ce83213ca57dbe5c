import * as NodeHttp from "node:http"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import { Agent, type AgentCall, MessagePromise, MiniAgents } from "miniagents"
import * as CleanRuntime from "../CleanRuntime.ts"

const how = ["trigger", "call", "fork", "waitFor", "reply", "replyOutOfOrder", "send"] as const

/** A tree of calls: node 0 is the root, node `i` was called by node `parent % i`, in one of several ways. */
const Nodes = Schema.Array(
  Schema.Struct({ parent: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 })), how: Schema.Literals(how) })
).check(Schema.isMaxLength(24))
const Position = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))

const parentsOf = (nodes: typeof Nodes.Type) => [-1, ...nodes.map(({ parent }, i) => parent % (i + 1))]

const isBelow = (parents: ReadonlyArray<number>, ancestor: number, node: number): boolean =>
  node === ancestor || (node > 0 && isBelow(parents, ancestor, parents[node]!))

/** Agents that call each other along a tree and then wait for ever. */
class Forest {
  readonly interrupted: Array<number> = []
  readonly handles = new Map<number, AgentCall.AgentCall>()
  readonly parents: ReadonlyArray<number>
  readonly ready = Deferred.makeUnsafe<void>()
  readonly nodes: typeof Nodes.Type
  private readonly held: number
  private started = 0

  constructor(nodes: typeof Nodes.Type, held = 0) {
    this.nodes = nodes
    this.held = held
    this.parents = parentsOf(nodes)
  }

  readonly agent: Agent.Agent<{ readonly index: number }, never, MiniAgents.MiniAgents> = Agent.make(
    "Node",
    { parameters: { index: Schema.Int } },
    (ctx) =>
      Effect.suspend(() => {
        const { index } = ctx.parameters
        const child = (node: number): Effect.Effect<unknown, never, MiniAgents.MiniAgents> => {
          const call = this.agent.call({ index: node })
          const trigger = this.agent.trigger([], { index: node })
          if (node === this.held) return Effect.map(call, (handle) => this.handles.set(node, handle))
          switch (this.nodes[node - 1]!.how) {
            case "trigger":
              return trigger
            case "call":
              return call
            case "fork":
              return Effect.forkChild(trigger)
            case "waitFor":
              return ctx.waitFor(Effect.flatMap(trigger, (replies) => replies.messages))
            case "reply":
              return Effect.flatMap(trigger, (replies) => ctx.reply(replies))
            case "replyOutOfOrder":
              return Effect.flatMap(trigger, (replies) => ctx.replyOutOfOrder(replies))
            case "send":
              return Effect.flatMap(trigger, (replies) => this.reader.trigger(replies))
          }
        }
        const children = this.parents.flatMap((parent, node) => (parent === index ? [child(node)] : []))
        return Effect.andThen(
          Effect.all(children, { discard: true }),
          Effect.suspend(() => {
            if (++this.started === this.parents.length) Deferred.doneUnsafe(this.ready, Exit.void)
            return Effect.never
          })
        ).pipe(Effect.onInterrupt(() => Effect.sync(() => void this.interrupted.push(index))))
      })
  )

  private readonly reader = Agent.make("Reader", (ctx) =>
    Effect.asVoid(ctx.messages.messages)
  ) as unknown as Agent.Agent<{}, never, never>

  below(node: number): ReadonlyArray<number> {
    return this.parents.flatMap((_, other) => (isBelow(this.parents, node, other) ? [other] : []))
  }

  get seen(): ReadonlyArray<number> {
    return this.interrupted.toSorted((a, b) => a - b)
  }
}

/** A server that begins to answer each request and never ends; it says how many are open. */
const server = Effect.gen(function* () {
  const open = new Set<NodeHttp.ServerResponse>()
  const waiting: Array<{ readonly count: number; readonly done: Deferred.Deferred<void> }> = []
  const check = () => waiting.forEach(({ count, done }) => open.size === count && Deferred.doneUnsafe(done, Exit.void))
  const http = NodeHttp.createServer((_, response) => {
    open.add(response)
    response.on("close", () => {
      open.delete(response)
      check()
    })
    response.write("first ")
    check()
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void http.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.callback<void>((resume) => {
        http.closeAllConnections()
        http.close(() => resume(Effect.void))
      })
  )
  const address = http.address()
  assert(address !== null && typeof address === "object")
  const connections = (count: number) =>
    Effect.suspend(() => {
      const done = Deferred.makeUnsafe<void>()
      waiting.push({ count, done })
      check()
      return Deferred.await(done)
    })
  return { url: `http://127.0.0.1:${address.port}/`, connections }
})

const get = (url: string) => Stream.unwrap(Effect.map(HttpClient.get(url), ({ stream }) => Stream.decodeText(stream)))

describe("Law 9, Cancellation", () => {
  it.effect.prop(
    "Law 9, Cancellation: interrupting a call interrupts exactly the calls below it, however they were made",
    { nodes: Nodes, victim: Position },
    ({ nodes, victim: position }) =>
      Effect.gen(function* () {
        const victim = position % (nodes.length + 1)
        const forest = new Forest(nodes, victim)
        const root = yield* forest.agent.call({ index: 0 })
        yield* Deferred.await(forest.ready)
        yield* (forest.handles.get(victim) ?? root).interrupt
        assert.deepStrictEqual(forest.seen, forest.below(victim))
        yield* CleanRuntime.turns(20)
        assert.deepStrictEqual(forest.seen, forest.below(victim))
        yield* root.interrupt
        assert.deepStrictEqual(forest.seen, forest.below(0))
        assert.strictEqual(yield* CleanRuntime.settled, 0)
      }).pipe(CleanRuntime.run)
  )

  const shapes = {
    "a chain 300 agents deep": Array.from({ length: 300 }, (_, i) => ({ parent: i, how: how[i % how.length]! })),
    "a call of 1,000 others": Array.from({ length: 1000 }, (_, i) => ({ parent: 0, how: how[i % how.length]! })),
    "a binary tree of 1,023 calls": Array.from({ length: 1022 }, (_, i) => ({
      parent: Math.floor(i / 2),
      how: how[i % how.length]!
    }))
  }
  for (const [shape, nodes] of Object.entries(shapes)) {
    it.effect(`Law 9, Cancellation: \`interrupt\` of ${shape} returns when all of it has ended`, () =>
      Effect.gen(function* () {
        const forest = new Forest(nodes)
        const root = yield* forest.agent.call({ index: 0 })
        yield* Deferred.await(forest.ready)
        yield* root.interrupt
        assert.deepStrictEqual(forest.seen, forest.below(0))
        assert.strictEqual(yield* MiniAgents.running, 0)
      }).pipe(CleanRuntime.run)
    )
  }

  const nodes = Array.from({ length: 30 }, (_, i) => ({ parent: Math.floor(i / 3), how: how[i % how.length]! }))
  const ways: Record<string, (forest: Forest) => Effect.Effect<unknown, unknown, MiniAgents.MiniAgents>> = {
    "the fiber that triggered it": (forest) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.andThen(forest.agent.trigger([], { index: 0 }), Effect.never))
        yield* Deferred.await(forest.ready)
        yield* Fiber.interrupt(fiber)
      }),
    "the fiber that triggered it and reads its replies": (forest) =>
      Effect.gen(function* () {
        const read = Effect.flatMap(forest.agent.trigger([], { index: 0 }), (replies) => replies.messages)
        const fiber = yield* Effect.forkChild(read)
        yield* Deferred.await(forest.ready)
        yield* Fiber.interrupt(fiber)
      }),
    "a racer that lost": (forest) =>
      Effect.race(
        Effect.flatMap(forest.agent.trigger([], { index: 0 }), (replies) => replies.messages),
        Deferred.await(forest.ready)
      ),
    "a sibling of a fiber that failed": (forest) =>
      Effect.exit(
        Effect.all(
          [
            Effect.flatMap(forest.agent.trigger([], { index: 0 }), (replies) => replies.messages),
            Effect.andThen(Deferred.await(forest.ready), Effect.fail("no"))
          ],
          { concurrency: "unbounded" }
        )
      ),
    "`Effect.timeout` around `trigger` and `messages`": (forest) =>
      Effect.gen(function* () {
        const read = Effect.flatMap(forest.agent.trigger([], { index: 0 }), (replies) => replies.messages)
        const fiber = yield* Effect.forkChild(Effect.exit(Effect.timeout(read, "1 minute")))
        yield* Deferred.await(forest.ready)
        yield* TestClock.adjust("1 minute")
        const exit = yield* Fiber.join(fiber)
        assert.isTrue(Exit.isFailure(exit) && exit.cause.toString().includes("TimeoutError"))
      }),
    "`switchMap` to the next element": (forest) =>
      Stream.make(0, 1).pipe(
        Stream.mapEffect((n) => (n === 0 ? Effect.succeed(n) : Effect.as(Deferred.await(forest.ready), n))),
        Stream.switchMap((n) =>
          n === 0 ? Stream.unwrap(forest.agent.trigger([], { index: 0 })).pipe(Stream.map(() => n)) : Stream.make(n)
        ),
        Stream.runCollect,
        Effect.tap((seen) => Effect.sync(() => assert.deepStrictEqual(seen, [1])))
      )
  }
  for (const [way, program] of Object.entries(ways)) {
    it.effect(`Law 9, Cancellation: what ${way} asked for is interrupted all the way down`, () =>
      Effect.gen(function* () {
        const forest = new Forest(nodes)
        yield* program(forest)
        assert.strictEqual(yield* CleanRuntime.settled, 0)
        assert.deepStrictEqual(forest.seen, forest.below(0))
      }).pipe(CleanRuntime.run)
    )
  }

  it.effect("Law 9, Cancellation: a fiber that ends well, or fails, leaves what it triggered running", () =>
    Effect.gen(function* () {
      const forest = new Forest([])
      const fiber = yield* Effect.forkChild(Effect.asVoid(forest.agent.trigger([], { index: 0 })))
      yield* Fiber.join(fiber)
      const failing = Effect.andThen(forest.agent.trigger([], { index: 0 }), Effect.fail("no"))
      yield* Effect.flip(Fiber.join(yield* Effect.forkChild(failing)))
      yield* Deferred.await(forest.ready)
      yield* CleanRuntime.turns()
      assert.strictEqual(yield* MiniAgents.running, 2)
      assert.deepStrictEqual(forest.seen, [])
    }).pipe(CleanRuntime.abandon)
  )

  it.effect("Law 9, Cancellation: an interrupted call ends its replies as interrupted, after what it had replied", () =>
    Effect.gen(function* () {
      const replied = yield* Deferred.make<void>()
      const agent = Agent.make("Slow", (ctx) =>
        Effect.andThen(ctx.reply(["one", "two"]), Effect.andThen(Deferred.succeed(replied, undefined), Effect.never))
      )
      const call = yield* agent.call()
      const replies = yield* call.replies()
      yield* Deferred.await(replied)
      yield* call.interrupt
      const seen: Array<string> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(replies, (promise) => Effect.map(promise.message, (message) => void seen.push(`${message}`)))
      )
      assert.deepStrictEqual(seen, ["one", "two"])
      assert.isTrue(Exit.hasInterrupts(exit))
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 9, Cancellation: a call interrupted before it started never runs", () =>
    Effect.gen(function* () {
      let ran = false
      const agent = Agent.make("Late", () => Effect.sync(() => void (ran = true)))
      const call = yield* agent.call()
      yield* call.interrupt
      const lazy = yield* agent.call({}, { startSoon: false })
      yield* lazy.interrupt
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit((yield* call.replies()).messages)))
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit((yield* lazy.replies()).messages)))
      yield* CleanRuntime.turns()
      assert.isFalse(ran)
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 9, Cancellation: `interrupt` waits for finalizers, and twice is once", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const released: Array<string> = []
      const inner = Agent.make("Inner", () =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* Effect.addFinalizer(() =>
              Effect.andThen(
                Deferred.await(release),
                Effect.sync(() => void released.push("inner"))
              )
            )
            yield* Deferred.succeed(started, undefined)
            return yield* Effect.never
          })
        )
      )
      const outer = Agent.make("Outer", () => Effect.andThen(inner.trigger(), Effect.never))
      const call = yield* outer.call()
      yield* Deferred.await(started)
      const both = yield* Effect.forkChild(Effect.all([call.interrupt, call.interrupt], { concurrency: 2 }))
      yield* CleanRuntime.turns()
      assert.isUndefined(both.pollUnsafe())
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(both)
      assert.deepStrictEqual(released, ["inner"])
      yield* call.interrupt
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 9, Cancellation: a body that interrupts itself takes along what it triggered", () =>
    Effect.gen(function* () {
      const forest = new Forest(nodes)
      const agent = Agent.make("Stops", () =>
        Effect.gen(function* () {
          yield* Effect.asVoid(forest.agent.trigger([], { index: 0 }))
          yield* Deferred.await(forest.ready)
          return yield* Effect.interrupt
        })
      )
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit((yield* agent.trigger()).messages)))
      assert.strictEqual(yield* CleanRuntime.settled, 0)
      assert.deepStrictEqual(forest.seen, forest.below(0))
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 9, Cancellation: what an interrupted call triggers while it cleans up never runs", () =>
    Effect.gen(function* () {
      let ran = false
      const started = yield* Deferred.make<void>()
      const ends: Array<boolean> = []
      const late = Agent.make("Late", () => Effect.sync(() => void (ran = true)))
      const agent = Agent.make("Cleans", () =>
        Effect.andThen(Deferred.succeed(started, undefined), Effect.never).pipe(
          Effect.onInterrupt(() =>
            Effect.gen(function* () {
              const replies = yield* late.trigger()
              ends.push(Exit.hasInterrupts(yield* Effect.exit(replies.messages)))
            })
          )
        )
      )
      const call = yield* agent.call()
      yield* Deferred.await(started)
      yield* call.interrupt
      assert.deepStrictEqual(ends, [true])
      assert.isFalse(ran)
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 9, Cancellation: a reader that goes away interrupts nothing", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const agent = Agent.make("Slow", (ctx) => Effect.andThen(Deferred.await(gate), ctx.reply("done")))
      const replies = yield* agent.trigger()
      const reader = yield* Effect.forkChild(replies.messages)
      yield* CleanRuntime.turns(5)
      yield* Fiber.interrupt(reader)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* replies.text, "done")
    }).pipe(CleanRuntime.run)
  )

  const requests: Record<
    string,
    (url: string) => Agent.Agent<{}, unknown, HttpClient.HttpClient | MiniAgents.MiniAgents>
  > = {
    "a request in the body": (url) => Agent.make("Body", () => Stream.runDrain(get(url))),
    "a stream of tokens in the reply": (url) =>
      Agent.make("Tokens", (ctx) =>
        Effect.flatMap(MessagePromise.fromStream(get(url)), (promise) =>
          Effect.andThen(ctx.reply(promise), Effect.never)
        )
      ),
    "a stream of messages in the reply": (url) =>
      Agent.make("Messages", (ctx) =>
        Effect.gen(function* () {
          const client = yield* HttpClient.HttpClient
          yield* ctx.reply(Stream.provideService(get(url), HttpClient.HttpClient, client))
          return yield* Effect.never
        })
      ),
    "a request that `waitFor` runs": (url) =>
      Agent.make("Waits", (ctx) => Effect.andThen(ctx.waitFor(Stream.runDrain(get(url))), Effect.never)),
    "a request by `fetch` with the signal": (url) =>
      Agent.make("Fetch", () =>
        Effect.tryPromise((signal) => fetch(url, { signal }).then((response) => response.text()))
      )
  }
  for (const [what, make] of Object.entries(requests)) {
    it.effect(`Law 9, Cancellation: the connection of ${what} is closed, three levels down, 20 times over`, () =>
      Effect.gen(function* () {
        const { connections, url } = yield* server
        const agent = make(url)
        const middle = Agent.make("Middle", (ctx) =>
          Effect.gen(function* () {
            for (let i = 0; i < 20; i++) yield* ctx.reply(yield* agent.trigger())
            return yield* Effect.never
          })
        )
        const top = Agent.make("Top", (ctx) => Effect.flatMap(middle.trigger(), (replies) => ctx.reply(replies)))
        const call = yield* top.call()
        yield* connections(20)
        yield* call.interrupt
        yield* connections(0)
        assert.strictEqual(yield* MiniAgents.running, 0)
      }).pipe(CleanRuntime.run, Effect.provide(FetchHttpClient.layer))
    )
  }

  it.effect("Law 9, Cancellation: closing the runtime after a failure closes the connections", () =>
    Effect.gen(function* () {
      const { connections, url } = yield* server
      const agent = Agent.make("Body", () => Stream.runDrain(get(url)))
      const program = Effect.gen(function* () {
        yield* Effect.all(Array.from({ length: 5 }, () => agent.trigger()))
        yield* connections(5)
        return yield* Effect.fail("no")
      })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(CleanRuntime.run(program))))
      yield* connections(0)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
