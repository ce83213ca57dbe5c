/**
 * Where Anthropic is asked to keep a prompt, so that the next request of a conversation reads it again for a tenth of
 * the price.
 *
 * Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching. A request has four marks at most; what
 * stands before a mark is kept if it is long enough; a request finds what was kept at one of its own marks, or up to 20
 * blocks before one.
 */
import type Anthropic from "@anthropic-ai/sdk"

/** How long what is kept stays after it was last read, if it is to be kept. */
export type Cache = "off" | "5m" | "1h"

type Params = Anthropic.MessageCreateParamsStreaming
type Block = Anthropic.ContentBlockParam

/**
 * Sets the marks, unless somebody has set some: at the end of the tools and the system's text, which all conversations
 * share, at the end of the prompt, where the next request will read, and where the requests before this one had theirs.
 */
export const mark = (params: Params, cache: Cache): Params => {
  if (cache === "off" || isMarked(params)) return params
  const cache_control = cache === "5m" ? { type: "ephemeral" as const } : { type: "ephemeral" as const, ttl: cache }
  const { isStaticLong, places } = placesOf(params)
  for (const block of places.slice(0, isStaticLong ? 3 : 4)) Object.assign(block, { cache_control })
  if (!isStaticLong) return params
  const { system, tools } = params
  if (Array.isArray(system) && system.length > 0) return { ...params, system: markLast(system, { cache_control }) }
  return tools === undefined ? params : { ...params, tools: markLast(tools, { cache_control }) }
}

const markLast = <A extends object>(list: ReadonlyArray<A>, mark: object): Array<A> =>
  list.map((item, i) => (i === list.length - 1 ? { ...item, ...mark } : item))

const isMarked = (params: Params): boolean => {
  const { cache_control, messages, system, tools = [] } = params
  const has = (value: object) => "cache_control" in value && Boolean(value.cache_control)
  if (cache_control || tools.some(has) || (Array.isArray(system) && system.some(has))) return true
  return messages.some(({ content }) => Array.isArray(content) && content.some(has))
}

interface Places {
  /** Whether the tools and the system's text alone are long enough to be kept. */
  readonly isStaticLong: boolean
  /** The blocks that can be marked, the last one first: the prompt's last, and that of each turn that is sent. */
  readonly places: ReadonlyArray<Block>
}

const placesOf = ({ messages, model, system, tools }: Params): Places => {
  let missing = minimumOf(model) * charactersPerToken - lengthOf(tools) - lengthOf(system)
  const isStaticLong = missing <= 0
  const places: Array<Block> = []
  messages.forEach(({ content, role }, turn) => {
    let end: Block | undefined
    for (const block of Array.isArray(content) ? content : []) {
      if (missing > 0) missing -= lengthOf(block)
      if (missing <= 0 && isMarkable(block)) end = block
    }
    if (end !== undefined && (role === "user" || turn === messages.length - 1)) places.push(end)
  })
  return { isStaticLong, places: places.reverse() }
}

/** Thoughts are kept with what stands around them, and cannot have a mark; nor can an empty text. */
const isMarkable = (block: Block): boolean =>
  block.type !== "thinking" && block.type !== "redacted_thinking" && (block.type !== "text" || block.text !== "")

const lengthOf = (value: object | string | undefined): number =>
  value === undefined ? 0 : typeof value === "string" ? value.length : JSON.stringify(value).length

const charactersPerToken = 4

/** How many tokens it takes until anything is kept. A mark before that does nothing. */
const minimumOf = (model: string): number => {
  if (/opus-4-[5-9]|haiku-4-5/.test(model)) return 4096
  return /haiku-3|3-5-haiku|3-haiku/.test(model) ? 2048 : 1024
}
