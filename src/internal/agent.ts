/** What agents are made of: a definition, the body that it finds when it is called, and the calls that it opens. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import type * as Contract from "../Agent.ts"
import * as InteractionContext from "../InteractionContext.ts"
import type * as Message from "../Message.ts"
import * as MiniAgents from "../MiniAgents.ts"
import { Call } from "./call.ts"
import { toSequence } from "./input.ts"
import { describe, fieldIssues } from "./fieldIssues.ts"
import { OpenCall } from "./openCall.ts"
import { Sequence } from "./sequence.ts"
import { CurrentTask } from "./task.ts"

export const TypeId = "~miniagents/Agent"

/**
 * Parameters that do not fit an agent's schema. The call they were given to ends with this as a defect; its body does
 * not run.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidParameters extends Schema.TaggedError<InvalidParameters>()("InvalidParameters", {
  agent: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `\`${this.agent}\` was called with parameters that do not fit: ${this.reason}`
  }
}

/** An agent whose calls run the body that is found when they begin. */
export const define = (
  name: string,
  options: Contract.Options<Schema.Struct.Fields>,
  body: Effect.Effect<InteractionContext.Body, never, unknown>
): Contract.Agent<{}, never, never> => new AgentImpl(definitionOf(name, options), body)

interface Definition extends InteractionContext.AgentInfo {
  readonly parameters: Schema.Struct<Schema.Struct.Fields>
  readonly given: object
  readonly takesNothing: boolean
  readonly encode: (parameters: unknown) => Schema.Json
  readonly check: (parameters: unknown) => Exit.Exit<unknown, Schema.SchemaError>
}

class AgentImpl implements Contract.Agent<{}, never, never> {
  declare readonly [TypeId]: typeof Contract.TypeId
  readonly name: string
  readonly description: string | undefined
  readonly parameters: Schema.Struct<Schema.Struct.Fields>
  readonly trigger: Contract.Agent<{}, never, never>["trigger"]
  readonly call: Contract.Agent<{}, never, never>["call"]
  readonly fork: Contract.Agent<{}, never, never>["fork"]

  constructor(self: Definition, body: Effect.Effect<InteractionContext.Body, never, unknown>) {
    this.name = self.name
    this.description = self.description
    this.parameters = optional(self.parameters, self.given)
    this.trigger = (input?: unknown, parameters?: object, options?: Contract.CallOptions) =>
      Effect.withFiber((fiber) => {
        const { call, start } = open(this, self, body, fiber, parameters, options, notSent)
        start(toSequence(input, { ...call.source, owner: call }, `${self.name}.trigger`))
        return Effect.succeed(call.replies as Sequence<never>) // its errors are in the type of `trigger`
      })
    this.call = (parameters?: object, options?: Contract.CallOptions) =>
      Effect.withFiber((fiber) => {
        const { call, start } = open(this, self, body, fiber, parameters, options)
        start(call.input)
        return Effect.succeed(new OpenCall(call, call.supervisor.openedBy(fiber)) as never) // its errors are in the type of `call`
      })
    this.fork = ({ description = self.description, name = self.name, parameters = {} } = {}) =>
      new AgentImpl({ ...self, name, description, given: { ...self.given, ...parameters } }, body) as never // typed by the contract
  }
}
Object.defineProperty(AgentImpl.prototype, TypeId, { value: TypeId })

const definitionOf = (name: string, options: Contract.Options<Schema.Struct.Fields>): Definition => {
  const parameters = Schema.Struct(options.parameters ?? {})
  const check = Schema.decodeUnknownExit(Schema.toType(parameters), { onExcessProperty: "error", errors: "all" })
  // parameters need no services: `Options` takes no others
  const codec = Schema.toCodecJson(parameters as unknown as Schema.Codec<unknown>)
  const encode = (given: unknown) => Schema.encodeUnknownSync(codec)(given)
  const takesNothing = Object.keys(parameters.fields).length === 0
  return { name, description: options.description, parameters, given: {}, takesNothing, check, encode }
}

const nothingGiven = Exit.succeed(Object.freeze({}))

/** Stands for an input until there is one, or for good if that can be none. */
const notSent = new Sequence(false, undefined)

/** A call that is to start, once it is clear what it was sent. */
const open = (
  agent: InteractionContext.AgentInfo,
  self: Definition,
  body: Effect.Effect<InteractionContext.Body, never, unknown>,
  fiber: Fiber.Fiber<unknown, unknown>,
  given: object | undefined,
  options: Contract.CallOptions = {},
  input?: Sequence
) => {
  const runtime = MiniAgents.current(fiber)
  const owner = runtime.supervisor.ownerOf(fiber)
  const source = { runtime, owner, place: owner.place, fiber }
  const checked =
    given === undefined && self.takesNothing
      ? nothingGiven
      : self.check(given === undefined ? self.given : { ...self.given, ...given })
  const parameters = Exit.isSuccess(checked) ? checked.value : given
  const { errorsAsMessages = runtime.errorsAsMessages, startSoon = runtime.startSoon } = options
  const call = new Call(agent, parameters, source, errorsAsMessages, input)
  const start = (input: Sequence | Message.InvalidMessage): void => {
    if (!(input instanceof Sequence)) return call.refuse(input)
    call.input = input
    if (Exit.isFailure(checked)) return call.refuse(invalidParameters(self, given, checked.cause))
    if (runtime.watchers.any) call.observe(self.encode)
    call.prepare(body)
    runtime.watchDeadlocks(fiber.context)
    if (startSoon) call.startSoon(fiber)
    else call.replies.start = () => call.startUnsafe()
  }
  return { call, start }
}

/** A schema in which the fields that are given already need not be given. */
const optional = (parameters: Schema.Struct<Schema.Struct.Fields>, given: object) =>
  Schema.Struct(
    Record.map(parameters.fields, (field, key) =>
      Predicate.hasProperty(given, key) ? Schema.optionalKey(field) : field
    )
  )

const invalidParameters = ({ name }: Definition, given: unknown, cause: Cause.Cause<Schema.SchemaError>) => {
  const { issue } = Cause.squash(cause) as Schema.SchemaError
  return new InvalidParameters({ agent: name, reason: fieldIssues(issue, given).map(describe).join("; ") })
}

/** A body with the services of the place where its Layer was built; what belongs to the call stays the call's. */
export const within =
  (body: InteractionContext.Body, built: Context.Context<never>): InteractionContext.Body =>
  (ctx) =>
    Effect.provideContext(body(ctx), Context.omit(...ofTheCall)(built))
const ofTheCall = [
  CurrentTask,
  InteractionContext.InteractionContext,
  MiniAgents.MiniAgents,
  Tracer.ParentSpan
] as const
