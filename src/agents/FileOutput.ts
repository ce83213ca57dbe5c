/**
 * The agent that writes messages to a file.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { isPlatformError, type PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import type * as Agent from "../Agent.ts"
import type { Upstream } from "../InteractionContext.ts"
import * as FileError from "../internal/fileError.ts"
import { Joiner, joinedBy } from "../internal/wholeCharacters.ts"
import * as Chain from "./Chain.ts"

/**
 * Options for the file that messages are written to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The path of the file. Missing folders are made, and an existing file is replaced. */
  readonly file: string
  /**
   * The text between two messages.
   *
   * @default a blank line
   */
  readonly delimiter?: string
}

/**
 * Makes an agent that passes on what it is sent and writes its text to a file, token by token. Its reply ends when all
 * of it is written. A `PlatformError` names the file, and says in words what the system refused (no space is left).
 *
 * **When to use**
 *
 * To write what an agent says to a file while it says it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Agent.Agent<{}, Upstream | PlatformError, FileSystem.FileSystem | Path.Path> =>
  Chain.define("FileOutput", {}, (ctx) =>
    Effect.gen(function* () {
      yield* ctx.reply(ctx.messages)
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      yield* fs.makeDirectory(path.dirname(options.file), { recursive: true })
      const text = ctx.messages.single(options.delimiter === undefined ? {} : { delimiter: options.delimiter })
      // a failure is passed on already; the file keeps what came before it
      const tokens = Stream.catchCause(text, () => Stream.empty)
      yield* Stream.run(Stream.encodeText(joinedBy(() => new Joiner())(tokens)), fs.sink(options.file))
    }).pipe(Effect.mapError((error) => (isPlatformError(error) ? FileError.withPath(options.file)(error) : error)))
  )
