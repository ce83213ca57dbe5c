/**
 * The rules of Anthropic's prompt cache, as a test double: what a request may mark, what is kept at its marks, and what
 * it reads of what was kept before.
 *
 * Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching.
 */
import { createHash } from "node:crypto"

type Json = { readonly [key: string]: unknown }

interface Request {
  readonly model: string
  readonly tools?: ReadonlyArray<Json>
  readonly system?: ReadonlyArray<Json>
  readonly messages: ReadonlyArray<{ readonly role: string; readonly content: ReadonlyArray<Json> }>
}

/** A block: the hash and the tokens of all up to its end, and its mark. */
interface Block {
  readonly prefix: string
  readonly tokens: number
  readonly mark: { readonly type: string; readonly ttl?: "1h" | "5m" } | undefined
  readonly type: unknown
  readonly isEmpty: boolean
}

/** What a request took, and what it could have read at best: all that it shares with a request before it. */
export interface Usage {
  readonly read: number
  readonly written: number
  readonly uncached: number
  readonly readable: number
}

export class PromptCache {
  /** What went wrong, in Anthropic's place: a request that it would have refused. */
  readonly refusals: Array<string> = []
  readonly usages: Array<Usage> = []
  /** The time in minutes, which a test sets. */
  minute = 0
  private readonly kept = new Map<string, number>()
  private readonly seen = new Set<string>()
  private readonly minimum: number

  constructor(minimum: number) {
    this.minimum = minimum
  }

  /** Takes a request, and gives what Anthropic would say of its tokens. */
  take(body: unknown): { readonly [name: string]: number } {
    const blocks = blocksOf(body as Request)
    this.check(blocks)
    const marks = blocks.flatMap(({ mark }, at) => (mark === undefined ? [] : [at]))
    const read = Math.max(0, ...marks.map((at) => this.found(blocks, at)))
    const last = marks.at(-1)
    const written = last === undefined ? 0 : Math.max(0, tokensAt(blocks, last, this.minimum) - read)
    for (const at of marks) {
      const { mark, prefix, tokens } = blocks[at]!
      if (tokens >= this.minimum) this.kept.set(prefix, this.minute + (mark?.ttl === "1h" ? 60 : 5))
    }
    const shared = blocks.findLast(({ prefix }) => this.seen.has(prefix))?.tokens ?? 0
    for (const { prefix } of blocks) this.seen.add(prefix)
    const all = blocks.at(-1)?.tokens ?? 0
    const readable = shared >= this.minimum ? shared : 0
    this.usages.push({ read, written, readable, uncached: all - read - written })
    return {
      input_tokens: all - read - written,
      cache_read_input_tokens: read,
      cache_creation_input_tokens: written,
      output_tokens: 1
    }
  }

  /** The tokens of the longest prefix that is kept, at a mark or up to 20 blocks before it. */
  private found(blocks: ReadonlyArray<Block>, mark: number): number {
    for (let at = mark; at >= 0 && at > mark - 20; at--) {
      const { prefix, tokens } = blocks[at]!
      const until = this.kept.get(prefix)
      if (until === undefined || until < this.minute) continue
      this.kept.set(prefix, Math.max(until, this.minute + 5))
      return tokens
    }
    return 0
  }

  private check(blocks: ReadonlyArray<Block>): void {
    const marked = blocks.filter(({ mark }) => mark !== undefined)
    if (marked.length > 4) this.refusals.push(`${marked.length} marks`)
    for (const { isEmpty, type } of marked) {
      if (isEmpty || type === "thinking" || type === "redacted_thinking")
        this.refusals.push(`a mark on ${String(type)}`)
    }
    const ttls = marked.map(({ mark }) => mark?.ttl ?? "5m")
    if (ttls.lastIndexOf("1h") > ttls.indexOf("5m") && ttls.includes("5m")) this.refusals.push("1h after 5m")
  }
}

const tokensAt = (blocks: ReadonlyArray<Block>, at: number, minimum: number): number => {
  const { tokens } = blocks[at]!
  return tokens >= minimum ? tokens : 0
}

/** Tools, then the system's text, then what was said. */
const blocksOf = ({ messages, model, system = [], tools = [] }: Request): ReadonlyArray<Block> => {
  const said = messages.flatMap(({ content, role }) => content.map((block) => ({ role, block })))
  const all = [
    ...tools.map((block) => ({ role: "tools", block })),
    ...system.map((block) => ({ role: "system", block })),
    ...said
  ]
  const hash = createHash("sha256").update(model)
  let tokens = 0
  return all.map(({ block: { cache_control, ...block }, role }) => {
    const json = JSON.stringify([role, block])
    hash.update(json)
    tokens += Math.ceil(json.length / 4)
    return {
      prefix: hash.copy().digest("hex"),
      tokens,
      mark: cache_control as Block["mark"],
      type: block["type"],
      isEmpty: block["text"] === ""
    }
  })
}
