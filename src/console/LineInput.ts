/**
 * Where people's input comes from, one text at a time.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Terminal from "effect/Terminal"

/**
 * Asks a person for a text. A line editor, a form or a test can stand behind it; `layerTerminal` is the plainest.
 *
 * @since 0.1.0
 * @category services
 */
export class LineInput extends Context.Service<LineInput, Service>()("miniagents/LineInput") {}

/**
 * The operations of the service `LineInput`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** How to use it, in lines to greet a person with. */
  readonly help: ReadonlyArray<string>
  /** Shows the prompt and waits for a text. Fails with `Terminal.QuitError` when no more is to come. */
  readonly read: (prompt: string) => Effect.Effect<string, Terminal.QuitError>
}

/**
 * One line a time, as the terminal gives it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTerminal: Layer.Layer<LineInput, never, Terminal.Terminal> = Layer.effect(
  LineInput,
  Effect.map(Terminal.Terminal, (terminal) => ({
    help: ["Press Enter to send your message.", 'Press Ctrl+C (or type "exit") to quit the conversation.'],
    read: (prompt: string) =>
      Effect.andThen(
        // nobody is left to answer where nothing can be shown
        Effect.mapError(terminal.display(prompt), () => new Terminal.QuitError({})),
        terminal.readLine
      )
  }))
)
