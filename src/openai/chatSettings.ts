/** What is asked of one request, in the parameters of Chat Completions. */
import type * as ModelSettings from "../llm/provider/ModelSettings.ts"
import * as Part from "../llm/provider/wirePart.ts"
import type { Config, Params } from "./chatCompletions.ts"

/** A configuration with the settings of a request, under the names that the server at an address knows. */
export const settle = (config: Config, settings: ModelSettings.Settings, url: string): Config => {
  const { parallelToolCalls, responseFormat, seed, stop, temperature, topP } = settings
  return {
    ...limited(config, settings, url),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { top_p: topP }),
    ...(stop !== undefined && { stop: [...stop] }),
    ...(seed !== undefined && { seed }),
    ...(parallelToolCalls !== undefined && { parallel_tool_calls: parallelToolCalls }),
    ...(responseFormat !== undefined && { response_format: formatOf(responseFormat) })
  }
}

/** The limit under the name that the server knows: OpenAI's models that think do not take the older one. */
const limited = (config: Config, { maxTokens }: ModelSettings.Settings, url: string): Config => {
  if (maxTokens === undefined) return config
  const { max_completion_tokens: _, max_tokens: __, ...rest } = config
  return isOpenAi(url) ? { ...rest, max_completion_tokens: maxTokens } : { ...rest, max_tokens: maxTokens }
}

const isOpenAi = (url: string): boolean => /^https?:\/\/([^/]+\.)?openai(\.azure)?\.com(:\d+)?(\/|$)/i.test(url)

const formatOf = (format: ModelSettings.ResponseFormat): NonNullable<Params["response_format"]> => {
  if (format.type === "text") return format
  const { objectName = "Output", schema } = format
  return schema === undefined
    ? { type: "json_object" }
    : { type: "json_schema", json_schema: { name: Part.objectName(objectName), schema } }
}
