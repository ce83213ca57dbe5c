/** Conversations of a person with the agents of a program: each turn is a call of the agent, in the tree like all others. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Place } from "../../internal/place.ts"
import * as Message from "../../Message.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import { addTo as addApprovals } from "../../runs/approvals.ts"
import type * as Runs from "../../runs/Runs.ts"
import * as callRequest from "../../serve/routes/callRequest.ts"
import type { Chat } from "../wire.ts"
import { CurrentRuns } from "./liveRuns.ts"
import type { AnyAgent, Program } from "./program.ts"
import type { Recorder } from "./recorder.ts"

/** What is said to an agent: in which conversation, after how many of its turns, with which parameters. */
export interface Said {
  readonly chat: string
  readonly agent: string
  readonly text: string
  readonly keep: number
  readonly parameters: Schema.Json
}

/** One thing that was said, and what it was answered: whole messages, once the answer is at its end. */
interface Turn {
  readonly text: string
  readonly call: number
  readonly sent: Message.Message
  readonly answer: Fiber.Fiber<ReadonlyArray<Message.Message>>
}

interface Talk {
  readonly agent: string
  readonly turns: ReadonlyArray<Turn>
}

/** The oldest conversations are forgotten. */
const mostChats = 50

export class Chats {
  private readonly program: Program
  private readonly recorder: Recorder
  private readonly scope: Scope.Scope
  /** Each turn is a run, so that what its agents ask can be answered from the page. */
  private readonly runs: Runs.Service
  private readonly talks = new Map<string, Talk>()

  constructor(program: Program, recorder: Recorder, runs: Runs.Service, scope: Scope.Scope) {
    this.runs = runs
    this.program = program
    this.recorder = recorder
    this.scope = scope
  }

  get(chat: string): Chat | undefined {
    const talk = this.talks.get(chat)
    if (talk === undefined) return undefined
    return { agent: talk.agent, turns: talk.turns.map(({ call, text }) => ({ call, text })) }
  }

  /** Says something, and gives the number of the call that answers it. Fails with a sentence. */
  say({ agent: name, chat, keep, parameters: json, text }: Said): Effect.Effect<number, string> {
    return Effect.gen({ self: this }, function* () {
      const before = this.talks.get(chat)
      if (before !== undefined && before.agent !== name) {
        return yield* Effect.fail(`This is a conversation with \`${before.agent}\``)
      }
      const turns = before?.turns.slice(0, keep) ?? []
      if (turns.some(({ answer }) => answer.pollUnsafe() === undefined)) {
        return yield* Effect.fail(`\`${name}\` has not ended what it says: wait for it, or stop it`)
      }
      const { agent, context } = yield* this.program.find(name)
      const parameters = yield* callRequest.parameters(agent.parameters, undefined, json)
      const sent = Message.user(text)
      const said = turns.flatMap(({ answer, sent }) => [sent, ...whole(answer)])
      const number = Deferred.makeUnsafe<number, string>()
      const answering = Effect.setContext(
        this.call(agent, parameters, [...said, sent], number),
        addApprovals(Context.add(context, CurrentRuns, this.runs))
      )
      const answer = yield* Effect.forkIn(answering, this.scope)
      const call = yield* Deferred.await(number)
      this.talks.delete(chat)
      this.talks.set(chat, { agent: name, turns: [...turns, { text, call, sent, answer }] })
      const [oldest] = this.talks.keys()
      if (this.talks.size > mostChats && oldest !== undefined) this.talks.delete(oldest)
      return call
    })
  }

  /** Calls the agent, and gives what it has said when it has ended, whatever it ended with. */
  private call(
    agent: AnyAgent,
    parameters: unknown,
    messages: ReadonlyArray<Message.Message>,
    number: Deferred.Deferred<number, string>
  ): Effect.Effect<ReadonlyArray<Message.Message>, never, MiniAgents.MiniAgents> {
    return Effect.gen({ self: this }, function* () {
      const run = yield* this.runs.start({ agent, input: messages, parameters, options: {} })
      const replies = yield* run.replies
      const place = replies.origin as Place | undefined // sequences of calls have the places of those
      const id = this.recorder.numberOf(place?.observed as object | undefined)
      Deferred.doneUnsafe(number, id === undefined ? Effect.fail(`\`${agent.name}\` is not seen`) : Effect.succeed(id))
      const heard: Array<Message.Message> = []
      const hear = (message: Message.Message) => Effect.sync(() => void heard.push(message))
      yield* Effect.exit(Stream.runForEach(replies, ({ message }) => Effect.flatMap(message, hear)))
      return heard
    }).pipe(
      Effect.orDie, // as many runs may go on as there are
      Effect.onExit((exit) => (Exit.isFailure(exit) ? failed(number, exit.cause) : Effect.void))
    )
  }
}

const failed = (number: Deferred.Deferred<number, string>, cause: Cause.Cause<unknown>): Effect.Effect<unknown> =>
  Deferred.fail(number, Cause.hasInterruptsOnly(cause) ? "The program has ended" : Cause.pretty(cause))

const whole = (answer: Fiber.Fiber<ReadonlyArray<Message.Message>>): ReadonlyArray<Message.Message> => {
  const exit = answer.pollUnsafe()
  return exit !== undefined && Exit.isSuccess(exit) ? exit.value : []
}
