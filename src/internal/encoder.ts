/** The encoders of message classes, each made once. */
import * as Schema from "effect/Schema"

type Encode = (value: unknown) => { readonly [key: string]: Schema.Json }
const encoders = new WeakMap<object, Map<string | undefined, Encode>>()

/** The encoder of a message's class, or of one field of it. */
export const encoderOf = ({ constructor: self }: object, field?: string): Encode => {
  let known = encoders.get(self)
  if (known === undefined) encoders.set(self, (known = new Map()))
  let encode = known.get(field)
  if (encode === undefined) {
    // a message's constructor is its class, and a class is a schema
    const { fields } = self as unknown as { readonly fields: Schema.Struct.Fields }
    const schema: unknown = field === undefined ? self : Schema.Struct({ [field]: fields[field] })
    encode = Schema.encodeUnknownSync(Schema.toCodecJson(schema as Schema.Codec<unknown>)) as Encode
    known.set(field, encode)
  }
  return encode
}
