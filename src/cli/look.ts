/** `miniagents inspect` on a store: its runs and conversations on a page, until it is told to end. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Inspector from "../inspector/Inspector.ts"
import * as MiniAgents from "../MiniAgents.ts"
import * as AgentsFile from "./agentsFile.ts"
import * as Failed from "./failed.ts"
import * as RunsStore from "./serveStore.ts"

export interface Settings {
  readonly store: string
  /** The module whose agents go on with runs here, if any is to. */
  readonly file: string | undefined
  readonly port: number | undefined
}

/** Gives why it could not show the store, if it could not. */
export const look = (settings: Settings, signal: AbortSignal): Promise<Failed.Failed | undefined> =>
  Failed.run(program(settings), signal)

const program = ({ file, port, store }: Settings): Effect.Effect<never, unknown> =>
  Effect.gen(function* () {
    yield* RunsStore.expectRuns(store, RunsStore.usualPrefix)
    const { agents, layer: given } =
      file === undefined ? { agents: [], layer: Layer.empty } : yield* AgentsFile.load(file, RunsStore.model)
    const shown = Inspector.layerStore(agents, { port, title: RunsStore.nameOf(store) }).pipe(
      Layer.provide(given),
      Layer.provide(Layer.mergeAll(RunsStore.layer(store), MiniAgents.layer()))
    )
    return yield* Layer.launch(shown)
  })
