import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { Agent, InteractionContext, Message, MiniAgents } from "miniagents"
import * as CleanRuntime from "./CleanRuntime.ts"

class Spans {
  readonly all: Array<Tracer.NativeSpan> = []
  readonly tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      this.all.push(span)
      return span
    }
  })
  /** The names of a span and of those above it. */
  path(span: Tracer.AnySpan): string {
    const parent = span._tag === "Span" && span.parent._tag === "Some" ? ` < ${this.path(span.parent.value)}` : ""
    return `${span._tag === "Span" ? span.name : "external"}${parent}`
  }
}

describe("InteractionContext", () => {
  it.effect("says which agent was called, with what, and through which others", () =>
    Effect.gen(function* () {
      const inner = Agent.make("Inner", { description: "Inside", parameters: { n: Schema.Int } }, (ctx) =>
        ctx.reply({
          ...ctx.parameters,
          name: ctx.agent.name,
          description: ctx.agent.description!,
          trace: [...ctx.trace]
        })
      )
      const outer = Agent.make("Outer", (ctx) => Effect.flatMap(inner.trigger([], { n: 1 }), (it) => ctx.reply(it)))
      const [message] = yield* (yield* outer.trigger()).messages
      assert.instanceOf(message, Message.Data)
      assert.deepStrictEqual(message.data, { n: 1, name: "Inner", description: "Inside", trace: ["Inner", "Outer"] })
    }).pipe(CleanRuntime.run)
  )

  it.effect("can be taken apart", () =>
    Effect.gen(function* () {
      const agent = Agent.make("Apart", ({ messages, parameters, reply, replyOutOfOrder, waitFor }) =>
        Effect.gen(function* () {
          yield* reply([messages, parameters])
          yield* waitFor(replyOutOfOrder("out of order"))
        })
      )
      assert.strictEqual((yield* (yield* agent.trigger(["one", "two"])).messages).length, 4)
    }).pipe(CleanRuntime.run)
  )

  it.effect("is a service that code called from an agent can ask for, in forked fibers and nested calls too", () =>
    Effect.gen(function* () {
      const say = (text: string) =>
        InteractionContext.InteractionContext.use((ctx) => Effect.asVoid(ctx.reply(`${ctx.agent.name}: ${text}`)))
      const inner = Agent.make("Inner", () => say("in") as Effect.Effect<void>)
      const outer = Agent.make("Outer", (ctx) =>
        Effect.gen(function* () {
          yield* say("one")
          yield* Fiber.join(yield* Effect.forkChild(say("two")))
          yield* ctx.reply(yield* inner.trigger())
          yield* ctx.waitFor(say("three"))
        })
      )
      const texts = (yield* (yield* outer.trigger()).messages).map(String)
      assert.deepStrictEqual(texts, ["Outer: one", "Outer: two", "Inner: in", "Outer: three"])
    }).pipe(CleanRuntime.run)
  )

  it.effect("`waitFor` keeps the call going until the effect has ended, and the body does not wait", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const events: Array<string> = []
      const agent = Agent.make("Waits", (ctx) =>
        Effect.gen(function* () {
          yield* ctx.waitFor(Effect.andThen(Deferred.await(gate), ctx.reply("late")))
          events.push("body ended")
        })
      )
      const replies = yield* agent.trigger()
      yield* CleanRuntime.turns(10)
      assert.deepStrictEqual(events, ["body ended"])
      assert.strictEqual(yield* MiniAgents.running, 2)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* replies.text, "late")
    }).pipe(CleanRuntime.run)
  )

  it.effect("a failure of what `waitFor` runs becomes the call's, together with the body's own", () =>
    Effect.gen(function* () {
      const agent = Agent.make("Waits", (ctx) =>
        Effect.gen(function* () {
          yield* ctx.waitFor(Effect.fail("one"))
          yield* ctx.waitFor(Effect.succeed("fine"))
          yield* ctx.waitFor(Effect.fail("two"))
          yield* ctx.reply("said")
          return yield* Effect.fail("body")
        })
      )
      const replies = yield* agent.trigger()
      const exit = yield* Effect.exit(replies.messages)
      const errors = Exit.isFailure(exit)
        ? exit.cause.reasons.flatMap((reason) => (Cause.isFailReason(reason) ? [reason.error] : []))
        : []
      assert.sameMembers(errors, ["one", "two", "body"])
      assert.strictEqual((yield* Stream.runCollect(Stream.take(replies, 1))).length, 1)
    }).pipe(CleanRuntime.run)
  )

  it.effect("`awaitNow` waits for all that was given to `waitFor` so far", () =>
    Effect.gen(function* () {
      const gates = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
      const events: Array<string> = []
      const agent = Agent.make("Waits", (ctx) =>
        Effect.gen(function* () {
          yield* ctx.awaitNow
          yield* ctx.waitFor(Effect.tap(Deferred.await(gates[0]), () => Effect.sync(() => void events.push("first"))))
          yield* ctx.waitFor(Effect.tap(Deferred.await(gates[1]), () => Effect.sync(() => void events.push("second"))))
          yield* ctx.awaitNow
          events.push("went on")
        })
      )
      const replies = yield* agent.trigger()
      yield* CleanRuntime.turns(10)
      yield* Deferred.succeed(gates[1], undefined)
      yield* CleanRuntime.turns(10)
      assert.deepStrictEqual(events, ["second"])
      yield* Deferred.succeed(gates[0], undefined)
      yield* replies.messages
      assert.deepStrictEqual(events, ["second", "first", "went on"])
    }).pipe(CleanRuntime.run)
  )

  it.effect("`finishEarly` waits as `awaitNow` does, ends the reply, and the body goes on", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const more = yield* Deferred.make<void>()
      const events: Array<string> = []
      const agent = Agent.make("Early", (ctx) =>
        Effect.gen(function* () {
          yield* ctx.waitFor(Effect.andThen(Deferred.await(gate), ctx.reply("waited for")))
          yield* ctx.finishEarly
          events.push("finished")
          yield* Deferred.await(more)
          events.push("ended")
        })
      )
      const replies = yield* agent.trigger()
      yield* CleanRuntime.turns(10)
      assert.deepStrictEqual(events, [])
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* replies.text, "waited for")
      assert.deepStrictEqual(events, ["finished"])
      assert.strictEqual(yield* MiniAgents.running, 1)
      yield* Deferred.succeed(more, undefined)
      assert.strictEqual(yield* CleanRuntime.settled, 0)
      assert.deepStrictEqual(events, ["finished", "ended"])
    }).pipe(CleanRuntime.run)
  )

  it.effect("`waitFor` waits for what may fail, and passes its failure on unless it is to be ignored", () =>
    Effect.gen(function* () {
      for (const ignoreFailure of [false, true]) {
        let waited = 0
        const agent = Agent.make("Waits", (ctx) =>
          ctx.waitFor(
            Effect.andThen(
              Effect.sync(() => void waited++),
              Effect.fail("no" as const)
            ),
            { ignoreFailure }
          )
        )
        const exit = yield* Effect.exit(Effect.flatMap(agent.trigger(), (replies) => replies.messages))
        assert.deepStrictEqual(exit, ignoreFailure ? Exit.succeed([]) : Exit.fail("no"))
        assert.strictEqual(waited, 1)
      }
    }).pipe(CleanRuntime.run)
  )

  it.effect("`finishNow` ends the reply at once, and the call waits for what was given to `waitFor`", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const agent = Agent.make("Early", (ctx) =>
        ctx.waitFor(Deferred.await(gate)).pipe(Effect.andThen(ctx.reply("said")), Effect.andThen(ctx.finishNow))
      )
      const replies = yield* agent.trigger()
      assert.strictEqual(yield* replies.text, "said")
      assert.isAbove(yield* MiniAgents.running, 0)
      yield* Deferred.succeed(gate, undefined)
      yield* MiniAgents.idle
      assert.strictEqual(yield* MiniAgents.running, 0)
    }).pipe(CleanRuntime.run)
  )

  it.effect("a failure after `finishEarly` is logged, since no reader can meet it", () =>
    Effect.gen(function* () {
      const agent = Agent.make("Early", (ctx) =>
        Effect.andThen(Effect.andThen(ctx.reply("done"), ctx.finishEarly), Effect.fail("too late"))
      )
      const [text, log] = yield* CleanRuntime.logged(
        CleanRuntime.run(Effect.flatMap(agent.trigger(), (replies) => replies.text))
      )
      assert.strictEqual(text, "done")
      assert.strictEqual(log.length, 1)
      assert.match(log[0]!, /Nobody read this failure of Early[^]*too late/)
    })
  )

  it.effect("`reply` after the call has ended dies with one clear error, and harms no other call", () =>
    Effect.gen(function* () {
      const handles: Array<InteractionContext.InteractionContext<{}>> = []
      const agent = Agent.make("Gone", (ctx) => {
        handles.push(ctx)
        return ctx.reply("in time")
      })
      const early = Agent.make("Early", (ctx) =>
        Effect.gen(function* () {
          yield* ctx.finishEarly
          return yield* ctx.reply("too late")
        })
      )
      const replies = yield* agent.trigger()
      assert.strictEqual(yield* replies.text, "in time")
      const ctx = handles[0]!
      for (const operation of ["reply", "replyOutOfOrder"] as const) {
        const exit = yield* Effect.exit(ctx[operation]("late"))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(error, Message.InvalidMessage)
        assert.match(
          error.message,
          new RegExp(`^\`Gone.${operation}\` got \`"late"\` at \`input\`: the call has ended`)
        )
      }
      const exit = yield* Effect.exit(ctx.waitFor(Effect.void))
      assert.match(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", /`Gone.waitFor` .*the call has ended/)
      assert.strictEqual(yield* replies.text, "in time")
      const [, log] = yield* CleanRuntime.logged(
        CleanRuntime.run(Effect.flatMap(early.trigger(), (replies) => replies.messages))
      )
      assert.strictEqual(log.length, 1)
      assert.match(log[0]!, /`Early.reply` got `"too late"`/)
    }).pipe(CleanRuntime.run)
  )

  it.effect("spans `invoke_agent {name}` carry the GenAI attributes and are linked across forked fibers", () =>
    Effect.gen(function* () {
      const spans = new Spans()
      const leaf = Agent.make("Leaf", { description: "At the end" }, (ctx) =>
        Effect.withSpan(ctx.reply("leaf"), "work in leaf")
      )
      const middle = Agent.make("Middle", (ctx) =>
        Effect.gen(function* () {
          const forked = yield* Effect.forkChild(leaf.trigger())
          yield* ctx.reply(yield* Fiber.join(forked))
          yield* ctx.waitFor(Effect.flatMap(leaf.trigger(), (replies) => replies.messages))
        })
      )
      const failing = Agent.make("Failing", () => Effect.fail("as expected"))
      const program = Effect.gen(function* () {
        yield* (yield* middle.trigger()).messages
        const call = yield* leaf.call()
        yield* (yield* call.replies()).messages
        yield* Effect.flip((yield* failing.trigger()).messages)
      }).pipe(Effect.withSpan("program"))
      yield* CleanRuntime.run(program).pipe(Effect.withTracer(spans.tracer))
      assert.sameMembers(
        spans.all.map((span) => spans.path(span)),
        [
          "program",
          "invoke_agent Middle < program",
          "invoke_agent Leaf < invoke_agent Middle < program",
          "work in leaf < invoke_agent Leaf < invoke_agent Middle < program",
          "invoke_agent Leaf < invoke_agent Middle < program",
          "work in leaf < invoke_agent Leaf < invoke_agent Middle < program",
          "invoke_agent Leaf < program",
          "work in leaf < invoke_agent Leaf < program",
          "invoke_agent Failing < program"
        ]
      )
      const named = (name: string) => spans.all.find((span) => span.name === name)!
      assert.deepStrictEqual(Object.fromEntries(named("invoke_agent Leaf").attributes), {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "Leaf",
        "miniagents.path": "Middle/0:Leaf",
        "gen_ai.agent.description": "At the end"
      })
      assert.deepStrictEqual(Object.fromEntries(named("invoke_agent Middle").attributes), {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "Middle",
        "miniagents.path": "Middle"
      })
      assert.isTrue(spans.all.every((span) => span.status._tag === "Ended"))
      const { status } = named("invoke_agent Failing")
      assert.strictEqual(
        status._tag === "Ended" && Exit.isFailure(status.exit) && Cause.squash(status.exit.cause),
        "as expected"
      )
      assert.strictEqual(new Set(spans.all.map((span) => span.traceId)).size, 1)
    })
  )
})
