/** An agent that is a service, as the parts of a cluster see it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Agent from "../Agent.ts"
import type * as InteractionContext from "../InteractionContext.ts"
import type * as Message from "../Message.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"

/** An agent that is a service, without its types. */
export interface AnyService {
  readonly name: string
  readonly parameters: Schema.Struct<Schema.Struct.Fields>
  readonly error: Schema.Codec<unknown, unknown>
  readonly messages: ReadonlyArray<Message.AnyClass>
  readonly trigger: Trigger
  readonly fork: (options: { readonly name: string }) => { readonly trigger: Trigger }
}

type Trigger = (
  input: unknown,
  parameters: unknown,
  options: Agent.CallOptions
) => Effect.Effect<MessageSequence.MessageSequence<unknown>, never, MiniAgents.MiniAgents>

/** The context of a call of such a service. */
export type Context = InteractionContext.InteractionContext<unknown>

export const of = (service: InteractionContext.AgentInfo): AnyService => {
  void Agent.nameOf(service) // from here on its name is the one it was given
  return service as unknown as AnyService // what it is made with, its type says
}

/** The parameters of a call as JSON; they were checked when it was called. */
export const encodeParameters = ({ parameters }: AnyService): ((given: unknown) => Effect.Effect<Schema.Json>) => {
  const encode = Schema.encodeUnknownEffect(Schema.toCodecJson(parameters as unknown as Schema.Codec<unknown>)) // whatever its fields
  return (given) => Effect.orDie(encode(given)) as Effect.Effect<Schema.Json>
}
