/** The entity of an agent: runs its calls in this process. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import type * as Cause from "effect/Cause"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Entity from "effect/cluster/Entity"
import type * as Sharding from "effect/cluster/Sharding"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as MiniAgents from "../MiniAgents.ts"
import * as callRequest from "../serve/callRequest.ts"
import type * as Transcript from "../Transcript.ts"
import * as protocol from "./protocol.ts"
import { ServedCall } from "./servedCall.ts"
import type { AnyService } from "./service.ts"

export interface Options {
  readonly key: ((parameters: never) => string) | undefined
  readonly concurrency: number
}

export const layer = <R>(
  service: AnyService,
  options: Options
): Layer.Layer<never, never, R | MiniAgents.MiniAgents | Sharding.Sharding> =>
  protocol.entity(service.name).toLayer(
    Effect.gen(function* () {
      const context = yield* Effect.context<R | MiniAgents.MiniAgents>()
      const { entityId } = yield* Entity.CurrentAddress
      const calls = new Calls(service, options, context, entityId)
      return {
        Run: ({ payload }) => calls.run(payload),
        Send: ({ payload }) => Effect.sync(() => calls.find(payload)?.send(payload.events)),
        Interrupt: ({ payload }) => Effect.suspend(() => calls.find(payload)?.stop ?? Effect.void)
      }
    }),
    // a defect of one call must not begin the others anew
    { concurrency: "unbounded", disableFatalDefects: true, maxIdleTime: "5 seconds" }
  )

/** The calls of one entity. */
class Calls {
  private readonly service: AnyService
  private readonly key: Options["key"]
  private readonly context: Context.Context<MiniAgents.MiniAgents>
  private readonly entityId: string
  private readonly turns: Semaphore.Semaphore
  private readonly running = new Map<string, ServedCall>()

  constructor(
    service: AnyService,
    options: Options,
    context: Context.Context<MiniAgents.MiniAgents>,
    entityId: string
  ) {
    this.service = service
    this.key = options.key
    this.context = context
    this.entityId = entityId
    this.turns = Semaphore.makeUnsafe(options.concurrency)
  }

  find({ attempt, call }: { readonly attempt: string; readonly call: string }): ServedCall | undefined {
    const found = this.running.get(call)
    return found?.attempt === attempt ? found : undefined
  }

  run(call: protocol.Call): Stream.Stream<protocol.Said> {
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const parameters = yield* Effect.catch(
          callRequest.parameters(this.service.parameters, undefined, call.parameters),
          (problem) => Effect.die(new Error(`\`${this.service.name}\` was called by another version of it: ${problem}`))
        )
        if (this.key !== undefined) {
          const entity = protocol.entityOfKey(this.key(parameters as never)) // they fit the schema of its parameters
          if (entity !== this.entityId) return Stream.make<[protocol.Said]>({ _tag: "moved", entity })
          yield* this.turn
        }
        const served = yield* this.serve(call, parameters)
        const hello: protocol.Said = { _tag: "hello", attempt: served.attempt }
        return Stream.concat(Stream.make(hello), served.events)
      })
    )
  }

  private get turn(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(Effect.asVoid(this.turns.take(1)), () => Effect.asVoid(this.turns.release(1)), {
      interruptible: true
    })
  }

  /** A call that is interrupted when the scope closes, if it has not ended by then. */
  private serve(call: protocol.Call, parameters: unknown): Effect.Effect<ServedCall, never, Scope.Scope> {
    const open = Effect.map(Queue.unbounded<Transcript.Event, Cause.Done>(), (input) => {
      const served = new ServedCall(SecureRandom.uuidV4Unsafe(), this.service, call, parameters, this.context, input)
      this.running.set(call.call, served)
      return served
    })
    return Effect.acquireRelease(open, (served) =>
      Effect.ensuring(
        served.stop,
        Effect.sync(() => {
          if (this.running.get(call.call) === served) this.running.delete(call.call)
        })
      )
    )
  }
}
