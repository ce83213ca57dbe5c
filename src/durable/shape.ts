/** What a signal has to look like, said so that it can be checked where the code that waits for it is not. */
import * as JsonSchema from "effect/JsonSchema"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import * as Tool from "effect/ai/Tool"
import { describe, fieldIssues } from "../internal/fieldIssues.ts"

/** The JSON Schema of what fits; nothing where there is none that says it. */
export const of = (schema: Schema.Codec<unknown, unknown>): Schema.Json | undefined =>
  Option.getOrUndefined(
    Option.liftThrowable(() => Tool.getJsonSchemaFromSchema(Schema.toCodecJson(schema)) as Schema.Json)()
  )

/** What is wrong with a value. */
export const problem = (shape: Schema.Json, value: Schema.Json): string | undefined => {
  const document = JsonSchema.fromSchemaDraft2020_12(shape as unknown as JsonSchema.JsonSchema)
  const made = Option.liftThrowable(() =>
    SchemaRepresentation.fromJsonSchemaDocument(document, { patterns: "ignore" })
  )()
  // what cannot be checked here is checked where it is waited for
  if (Option.isNone(made)) return undefined
  const result = Schema.decodeResult(made.value as Schema.Codec<unknown>)(value)
  return Result.isSuccess(result) ? undefined : fieldIssues(result.failure.issue, value).map(describe).join("; ")
}
