/** What the model is shown as the result of a tool. */
import * as Schema from "effect/Schema"
import * as Prompt from "effect/ai/Prompt"
import { jsonOf } from "../model/lossless.ts"
import * as Message from "../../Message.ts"

/** The parts, with the files apart: they are large, and kept once. */
export const outputOf = (
  parts: ReadonlyArray<Prompt.TextPart | Message.File>
): { readonly output: Schema.Json; readonly files?: ReadonlyArray<Message.File> } => {
  const files = parts.filter((part) => part instanceof Message.File)
  const named = parts.map((part) => {
    if (!(part instanceof Message.File)) return part
    const { fileName, hashKey, mediaType } = part
    return Prompt.filePart({ mediaType, data: `sha256:${hashKey}`, ...(fileName === undefined ? {} : { fileName }) })
  })
  const output = jsonOf(encodeOutput(named))
  return files.length === 0 ? { output } : { output, files }
}

export const shown = (part: Prompt.ToolModelOutputPart): Prompt.TextPart | Message.File =>
  part.type === "text" ? part : fileOf(part)

const fileOf = ({ data, fileName, mediaType, options }: Prompt.FilePart): Message.File => {
  const isEncoded = typeof data === "string" && !/^(data|https?):/i.test(data)
  return Message.file(isEncoded ? `data:${mediaType};base64,${data}` : data, {
    mediaType,
    ...(fileName === undefined ? {} : { fileName }),
    ...(Object.keys(options).length === 0 ? {} : { options: options as never }) // JSON, as it is encoded anyway
  })
}

const encodeOutput = Schema.encodeSync(Schema.toCodecJson(Schema.Array(Prompt.ToolModelOutputPart)))
