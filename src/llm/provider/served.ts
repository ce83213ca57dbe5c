/** The tools that a provider runs itself, as codecs tell of them. */
import type * as Schema from "effect/Schema"
import type { Metadata } from "./metadata.ts"

/** What a tool was called with, what it gave, or both; or that the provider asks whether it may be called. */
export interface ServedTool {
  readonly id: string
  readonly name: string
  readonly params?: Schema.Json
  readonly result?: Schema.Json
  readonly isFailure?: boolean
  readonly asks?: boolean
}

/** What a part tells of such a tool, with what is to be kept beside the call or the result. */
export interface Served {
  readonly tool: ServedTool
  readonly kept: Metadata
}
