/** A program that is shown by an inspector of its own, for a test. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { MiniAgents } from "miniagents"
import { Inspector } from "miniagents/inspector"
import type { Update } from "../../src/inspector/wire.ts"
import * as Server from "../serve/Server.ts"

export class Served {
  readonly url: URL
  readonly token: string

  constructor({ url }: Inspector.Service) {
    this.url = new URL(url)
    this.token = this.url.searchParams.get("token")!
  }

  get = (target: string, headers: Record<string, string> = { authorization: `Bearer ${this.token}` }) =>
    fetch(new URL(target, this.url.origin), { headers })

  json = async <A>(target: string): Promise<A> => (await this.get(target)).json() as Promise<A>

  post = (target: string, body: unknown) =>
    fetch(new URL(target, this.url.origin), {
      method: "POST",
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: JSON.stringify(body)
    })

  async *updates(target = "/api/updates"): AsyncGenerator<Update> {
    for await (const block of Server.blocks(await this.get(target))) {
      if (block.startsWith("data: ")) yield JSON.parse(block.slice(6)) as Update
    }
  }
}

/** The address is for a person, and a test has none. */
export const silent = Layer.effect(
  Console.Console,
  Effect.map(Console.Console, (console): Console.Console => Object.assign(Object.create(console), { error: () => {} }))
)

/** Runs a test beside a program that is shown; the program ends with it. */
export const shown = <E>(
  program: Effect.Effect<unknown, E, MiniAgents.MiniAgents>,
  use: (served: Served, service: Inspector.Service) => Promise<void>,
  options: Inspector.Options = {}
): Promise<void> =>
  Effect.gen(function* () {
    const service = yield* Inspector.Inspector
    yield* Effect.forkScoped(Effect.exit(program), { startImmediately: true })
    yield* Effect.promise(() => use(new Served(service), service))
    return yield* Effect.interrupt // what the program left running goes too
  }).pipe(
    Effect.scoped,
    Effect.provide(MiniAgents.layer().pipe(Layer.provideMerge(Inspector.layer(options).pipe(Layer.provide(silent))))),
    Effect.exit,
    Effect.flatMap((exit) => (Exit.isFailure(exit) && !Exit.hasInterrupts(exit) ? exit : Effect.void)),
    Effect.runPromise
  )
