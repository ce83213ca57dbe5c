/** What the input of a call fails with, on its way to the process that reads it and back to the caller. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"

/**
 * A schema of any failure, for one call: encoded it is a number and the call that keeps the failure, decoded it is that
 * very failure again. So an error whose schema nobody knows comes back to who caused it as it was.
 */
export const make = (call: string): Schema.Codec<unknown, unknown> => {
  const kept: Array<unknown> = []
  const Reference = Schema.Struct({ keptBy: Schema.Literal(call), index: Schema.Int })
  return Reference.pipe(
    Schema.decodeTo(Schema.Unknown, {
      decode: SchemaGetter.transformEffect(({ index }: typeof Reference.Type) =>
        index in kept
          ? Effect.succeed(kept[index])
          : Effect.fail(new SchemaIssue.InvalidValue({ message: "Expected a failure of this call" }))
      ),
      encode: SchemaGetter.transform((error) => ({ keptBy: call, index: kept.push(error) - 1 }))
    })
  )
}
