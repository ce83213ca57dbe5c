/** What the input of a call fails with, on its way to the process that reads it and back to the caller. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"

/** How many failures are kept at once. */
const most = 10_000

/**
 * A schema of any failure, for one client: encoded it is a number and who keeps the failure, decoded it is that very
 * failure again. So an error whose schema nobody knows comes back to who caused it as it was.
 */
export const make = (keptBy: string): Schema.Codec<unknown, unknown> => {
  const kept = new Map<number, unknown>()
  let count = 0
  const keep = (error: unknown) => {
    kept.set(count, error)
    kept.delete(count - most)
    return { keptBy, index: count++ }
  }
  const Reference = Schema.Struct({ keptBy: Schema.Literal(keptBy), index: Schema.Int })
  return Reference.pipe(
    Schema.decodeTo(Schema.Unknown, {
      decode: SchemaGetter.transformEffect(({ index }: typeof Reference.Type) =>
        kept.has(index)
          ? Effect.succeed(kept.get(index))
          : Effect.fail(new SchemaIssue.InvalidValue({ message: "Expected a failure that is kept here" }))
      ),
      encode: SchemaGetter.transform(keep)
    })
  )
}
