/** `miniagents runs`: what is done with runs that are kept in a store, by whoever looks after them. */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { harmless } from "../console/console.ts"
import * as DurableRuns from "../durable/DurableRuns.ts"
import * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"
import * as AgentsFile from "./agentsFile.ts"
import * as Failed from "./failed.ts"
import * as Pages from "./runsPages.ts"
import * as RunsStore from "./serveStore.ts"

/** What is to be done. */
export type Order =
  | { readonly what: "list" }
  | { readonly what: "show"; readonly id: string }
  | {
      readonly what: "signal"
      readonly id: string
      readonly name: string
      readonly value: string
      readonly early: boolean
    }
  | { readonly what: "interrupt" | "delete"; readonly id: string }
  | {
      readonly what: "rerun"
      readonly id: string
      readonly file: string | undefined
      readonly as: string | undefined
      readonly input: string | undefined
      readonly parameters: string | undefined
    }
  | { readonly what: "diff"; readonly left: string; readonly right: string }

export interface Settings {
  readonly store: string
  readonly prefix: string | undefined
  /** Whether the output is JSON, for programs. */
  readonly json: boolean
  readonly order: Order
}

/** Does what it is told; gives why it could not, if it could not. */
export const operate = (settings: Settings, signal: AbortSignal): Promise<Failed.Failed | undefined> =>
  Failed.run(program(settings), signal)

const program = (settings: Settings): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const { order, prefix = RunsStore.usualPrefix, store } = settings
    yield* RunsStore.expectRuns(store, prefix)
    const layer = Layer.mergeAll(RunsStore.layer(store, prefix), MiniAgents.layer())
    const text = yield* Effect.provide(done(order, settings), layer)
    if (text !== "") yield* Console.log(text)
  })

type Services = Runs.Runs | DurableRuns.DurableRuns | MiniAgents.MiniAgents

/** What is said when it is done. */
const done = (order: Order, settings: Settings): Effect.Effect<string, unknown, Services> => {
  const written = (value: unknown, page: () => string) =>
    settings.json ? JSON.stringify(value, undefined, 2) : harmless(page())
  switch (order.what) {
    case "list":
      return Effect.map(Effect.zip(Runs.list, Clock.currentTimeMillis), ([runs, now]) =>
        written(runs, () => Pages.list(runs, now))
      )
    case "show":
      return Effect.gen(function* () {
        const run = yield* Runs.get(order.id)
        const [report, calls, now] = [
          yield* DurableRuns.report(order.id),
          yield* DurableRuns.calls(order.id),
          yield* Clock.currentTimeMillis
        ]
        return written({ ...run, report, calls }, () => Pages.show(run, report, calls, now))
      })
    case "diff":
      return Effect.map(DurableRuns.diff(order.left, order.right), (diff) => written(diff, () => Pages.diff(diff)))
    case "signal":
      return signal(order)
    case "interrupt":
      return Effect.gen(function* () {
        const { status } = yield* Runs.get(order.id)
        if (status !== "running") return `${order.id} had ended already (${status})`
        yield* Runs.interrupt(order.id)
        const after = yield* Runs.get(order.id)
        return `${order.id} has ended (${after.status})`
      })
    case "delete":
      return Effect.as(DurableRuns.delete(order.id), `${order.id} is deleted, with all that was kept of it`)
    case "rerun":
      return rerun(order, settings)
  }
}

/** JSON, or else the words as they are. */
const valueOf = (words: string): Schema.Json =>
  Result.getOrElse(
    Result.try(() => JSON.parse(words) as Schema.Json),
    () => words
  )

const signal = ({
  early,
  id,
  name,
  value
}: Extract<Order, { what: "signal" }>): Effect.Effect<string, unknown, Services> =>
  Effect.gen(function* () {
    const { status, waiting } = yield* Runs.get(id)
    if (status !== "running") {
      return yield* Effect.fail(Failed.misuse(`\`${id}\` has ended (${status}): nothing in it waits for a signal`))
    }
    if (!early && !waiting.includes(name)) {
      const names = waiting.map((name) => `\`${name}\``).join(", ")
      const waits = names === "" ? "waits for nothing now" : `waits for ${names}`
      return yield* Effect.fail(
        Failed.misuse(`\`${id}\` ${waits}, not for \`${name}\`: with --early it is kept until somebody asks`)
      )
    }
    yield* Runs.signal(id, name, valueOf(value))
    return `sent to ${id}`
  })

const rerun = (
  order: Extract<Order, { what: "rerun" }>,
  settings: Settings
): Effect.Effect<string, unknown, Services> =>
  Effect.gen(function* () {
    const { as, file, id, input } = order
    const { agent: name } = yield* Runs.get(id)
    if (as !== undefined && (yield* Effect.option(Runs.get(as)))._tag === "Some") {
      return yield* Effect.fail(Failed.misuse(`There is a run \`${as}\` already: take another id`))
    }
    const parameters = order.parameters === undefined ? undefined : valueOf(order.parameters)
    if (file === undefined) {
      const run = yield* DurableRuns.rerun(id, { id: as, input, parameters })
      return `${run.id} is taken up by whoever serves ${name}`
    }
    const { agents, layer } = yield* AgentsFile.load(file, RunsStore.model)
    const agent = agents.find((agent) => agent.name === name)
    if (agent === undefined) {
      const names = agents.map(({ name }) => name).join(", ")
      return yield* Effect.fail(Failed.misuse(`\`${id}\` is a run of \`${name}\`, and ${file} exports ${names}`))
    }
    return yield* Effect.provide(rerunHere(id, { id: as, agent: agent as never, input, parameters }, settings), layer)
  })

const rerunHere = (
  id: string,
  options: DurableRuns.RerunOptions<unknown, unknown, never>,
  settings: Settings
): Effect.Effect<string, unknown, Services> =>
  Effect.gen(function* () {
    const run = yield* DurableRuns.rerun(id, options)
    const follower = new Pages.Follower()
    const show = (event: Transcript.Event) => {
      const line = settings.json ? JSON.stringify(event) : follower.take(event)
      return line === undefined ? Effect.void : Console.log(harmless(line))
    }
    yield* Stream.runForEach(Runs.read(run.id), show)
    const report = yield* DurableRuns.report(run.id)
    return settings.json ? JSON.stringify({ id: run.id, report }) : Pages.report(run.id, report)
  })
