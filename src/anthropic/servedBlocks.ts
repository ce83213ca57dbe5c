/** The tools that Anthropic runs itself: what they did, as calls and results, and as the blocks that go back. */
import type Anthropic from "@anthropic-ai/sdk"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as Metadata from "../llm/provider/metadata.ts"
import type { Served } from "../llm/provider/served.ts"

/** What a block tells of a tool, and the block as it is kept beside that: what the tool gave is not kept twice. */
export const of = (block: Metadata.Metadata): Served | undefined => {
  const { content = null, id, input = {}, is_error, name, tool_use_id, type } = block
  if (typeof type !== "string") return undefined
  if (/^(server|mcp)_tool_use$/.test(type) && typeof id === "string" && typeof name === "string") {
    return { tool: { id, name, params: input }, kept: { block } }
  }
  const [, tool] = /^(.+)_tool_result$/.exec(type) ?? []
  if (tool === undefined || typeof tool_use_id !== "string") return undefined
  const isFailure = is_error === true || (Predicate.hasProperty(content, "type") && isError.test(String(content.type)))
  return {
    tool: { id: tool_use_id, name: tool, result: content, isFailure },
    kept: { block: { ...block, content: null }, apart: "content" }
  }
}

const isError = /_tool_result_error$/

/** The block of a call or a result as it came, the latter with what the tool gave. */
export const back = ({ apart, block }: Metadata.Metadata, result?: unknown): Array<Anthropic.ContentBlockParam> => {
  if (!Metadata.isCollected(block)) return []
  const gave = typeof apart === "string" ? { [apart]: result as Schema.Json } : {} // it was JSON when it was kept
  return [{ ...block, ...gave } as never] // what the API has said is what it takes
}
