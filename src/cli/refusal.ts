/** What a person is told when the program cannot do what it was asked, and its exit status. */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Console from "../console/console.ts"

/** The words or the configuration are wrong. */
export const misuse = 2

/** One sentence, on the standard error output; nothing else is reported. */
export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", {
  message: Schema.String,
  status: Schema.Int
}) {
  override readonly [Runtime.errorExitCode] = this.status
  override readonly [Runtime.errorReported] = false
}

export const refuse =
  (status: number) =>
  ({ message }: { readonly message: string }): Refusal =>
    new Refusal({ message: Console.harmless(message.replaceAll(/\s*\n\s*/g, " ")), status })
