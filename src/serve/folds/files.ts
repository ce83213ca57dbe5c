/** Files as protocols send them: by their content, or by their address. */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Message from "../../Message.ts"

/** What a protocol says of a file beside where it is. */
export interface Named {
  readonly mediaType?: unknown
  readonly fileName?: unknown
}

/** The file at an address or in a data URL; fails with what is wrong with it. */
export const of = (source: unknown, { fileName, mediaType }: Named = {}): Effect.Effect<Message.File, string> =>
  Effect.suspend(() => {
    // any other address is not for those who are to read it
    if (typeof source !== "string" || !/^(data:[^,]*;base64,|https?:\/\/)/i.test(source)) {
      return Effect.fail("a file is sent as a data URL in base64, or by its `https` address")
    }
    const options = {
      ...(isText(mediaType) ? { mediaType: mediaType.includes("/") ? mediaType : `${mediaType}/*` } : {}),
      ...(isText(fileName) ? { fileName } : {})
    }
    return Effect.mapError(
      Effect.try(() => Message.file(source, options)),
      () => "it is no file that can be read"
    )
  })

/** The files of a whole message, or that which it is. */
export const inside = (message: Schema.JsonObject): ReadonlyArray<Schema.JsonObject> => {
  const parts = message._tag === "File" ? [message] : Array.isArray(message.parts) ? message.parts : []
  return (parts as ReadonlyArray<Schema.JsonObject>).filter((part) => part._tag === "File")
}

/** Where a file is: its address, or a data URL. */
export const hrefOf = ({ mediaType, source }: Schema.JsonObject): string => {
  const { data, url } = source as { readonly data?: string; readonly url?: string }
  return url ?? `data:${String(mediaType)};base64,${data}`
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""
