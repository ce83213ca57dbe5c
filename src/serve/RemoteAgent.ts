/**
 * An agent that is served elsewhere by `Native`, as an agent: called, read, awaited and interrupted as if it were here.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as HttpClient from "effect/http/HttpClient"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Agent from "../Agent.ts"
import type * as InteractionContext from "../InteractionContext.ts"
import * as callerFailures from "../internal/callerFailures.ts"
import type * as Message from "../Message.ts"
import * as approvals from "../runs/approvals.ts"
import * as Runs from "../runs/Runs.ts"
import * as Transcript from "../Transcript.ts"
import * as remoteRun from "./remote/run.ts"

/**
 * Where a remote agent is, and what it takes and gives.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<Fields extends Schema.Struct.Fields, E> {
  /** The address that `Native` serves the agent at. */
  readonly url: string
  /** A sentence on what the agent does, for people and for models that choose among agents. */
  readonly description?: string
  /** The fields of its parameters. */
  readonly parameters?: Fields
  /** The schema of what it can fail with, as the server names it. */
  readonly error?: Schema.Codec<E, unknown>
  /** The classes of messages of your own that it sends. */
  readonly classes?: ReadonlyArray<Message.AnyClass>
  /** The bearer token that the server asks for. */
  readonly token?: Redacted.Redacted
}

/**
 * A remote agent cannot be reached, or refuses the call; `reason` says which and why, `status` is the server's answer.
 *
 * @since 0.1.0
 * @category errors
 */
export class RemoteAgentError extends Schema.TaggedError<RemoteAgentError>()("RemoteAgentError", {
  agent: Schema.String,
  /** The address, without what it may hold that is secret. */
  url: Schema.String,
  reason: Schema.String,
  status: Schema.optionalKey(Schema.Int)
}) {
  override get message(): string {
    return `\`${this.agent}\` at ${this.url}: ${this.reason}`
  }
}

/**
 * Makes an agent of one that is served elsewhere.
 *
 * **When to use**
 *
 * To call an agent that another server serves with `Native`. Within a cluster use `AgentCluster.clientLayer`.
 *
 * **Details**
 *
 * The call is made at once: its input goes there token by token as it comes, and its replies come as they are made. What the
 * input fails with is met there at its place, and comes back as it was if the agent fails with it. A connection that breaks
 * is opened again, and both go on exactly where they were cut off. Interrupting the call interrupts the run on the server; a
 * run whose caller has died without a word is interrupted there after a minute.
 *
 * Where a tool there needs approval, whoever decides about the tools of the caller decides (`Approval`): a function of the
 * program, or who reads the run that the call is made in. If nobody does, the call of the tool is denied. What an agent there
 * waits for otherwise (`Runs.wait`), the run that the call is made in waits for as well, and a signal to it is handed on.
 *
 * It fails with what the agent fails with where `error` is the schema of that, with a `Transcript.TranscriptError` for
 * any other failure of it, and with `RemoteAgentError` when it cannot be reached.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { MiniAgents } from "miniagents"
 * import { RemoteAgent } from "miniagents/serve"
 *
 * const research = RemoteAgent.make("Research", {
 *   url: "https://agents.example.org/research",
 *   parameters: { depth: Schema.Int }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* research.trigger("What is a rope?", { depth: 2 })
 *   return yield* replies.text
 * }).pipe(Effect.provide([FetchHttpClient.layer, MiniAgents.layer()]))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const Fields extends Schema.Struct.Fields = {}, E = never>(
  name: string,
  options: Options<Fields, E>
): Agent.Agent<
  Schema.Struct<Fields>["Type"],
  E | RemoteAgentError | Transcript.TranscriptError | InteractionContext.Upstream,
  HttpClient.HttpClient
> => {
  const { classes, description, error, token, url } = options
  const parameters = options.parameters ?? ({} as Fields)
  const encode = Schema.encodeUnknownEffect(
    Schema.toCodecJson(Schema.Struct(parameters) as unknown as Schema.Codec<unknown>) // a struct of whatever fields
  )
  const fail = (reason: string, status?: number) =>
    new RemoteAgentError({
      agent: name,
      url: remoteRun.shown(url),
      reason,
      ...(status === undefined ? {} : { status })
    })
  let errors: Errors | undefined
  // once, but not before the first call: a worker has no random numbers while it is loaded
  const errorsOf = (): Errors => {
    const failures = callerFailures.make(SecureRandom.uuidV4Unsafe())
    return { failures, all: error === undefined ? failures : Schema.Union([failures, error]) }
  }
  return Agent.make(
    name,
    { parameters, ...(description === undefined ? {} : { description }) },
    Effect.fnUntraced(function* (ctx) {
      const { all, failures } = (errors ??= errorsOf())
      const input = Transcript.encode(ctx.messages, { error: failures })
      const given = yield* Effect.orDie(encode(ctx.parameters)) // they were checked when it was called
      const decide = yield* approvals.elsewhere
      const run = yield* Runs.CurrentRun
      const { path, trace } = ctx
      const events = remoteRun.events({ url, token, input, parameters: given, path, trace, decide, run, fail })
      const said = yield* Queue.unbounded<Transcript.Event, RemoteAgentError | Cause.Done>()
      yield* ctx.reply(yield* Transcript.decode(Stream.fromQueue(said), { classes, error: all }))
      // the call goes on for as long as the run there does, and with it what its input is made of
      yield* Stream.runIntoQueue(events, said)
    })
  ) as never // the compiler does not look into what a reply of the type `E` can fail with
}

/** The schemas of what the input fails with, and of what the replies fail with. */
interface Errors {
  readonly failures: Schema.Codec<unknown, unknown>
  readonly all: Schema.Codec<unknown, unknown>
}
