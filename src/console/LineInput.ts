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
 * The service that asks a person for a text. `layerTerminal` reads a line from the terminal, `LineEditor.layer` has an
 * editor for several lines, and a test can provide its own.
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
  /** Lines of help that tell a person how to use it. */
  readonly help: ReadonlyArray<string>
  /** Shows the prompt and waits for a text. Fails with `Terminal.QuitError` when no more is to come. */
  readonly read: (prompt: string) => Effect.Effect<string, Terminal.QuitError>
}

/**
 * Reads one line at a time from the terminal.
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
