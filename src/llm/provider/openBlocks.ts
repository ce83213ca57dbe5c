/**
 * Which blocks of a response are open. Whoever makes parts of what a provider says, or something of such parts, asks
 * here where a piece belongs.
 */

/** A block, by what it is and by what its pieces name it with. */
export interface Block {
  readonly kind: "text" | "reasoning" | "opaque" | "call"
  readonly key: string | number
}

type OfKind<B extends Block, Kind> = B extends Block ? (Kind extends B["kind"] ? B : never) : never

/** The open blocks, in the order in which they began. */
export class OpenBlocks<B extends Block> {
  private readonly blocks = new Map<string, B>()
  /** The block of the piece before: nearly every piece is for the same one. */
  private last: B | undefined = undefined

  get<Kind extends B["kind"]>(kind: Kind, key: Block["key"]): OfKind<B, Kind> | undefined {
    if (this.last?.key !== key || this.last.kind !== kind) this.last = this.blocks.get(nameOf({ kind, key }))
    return this.last as OfKind<B, Kind> | undefined // it is of this kind
  }

  add<A extends B>(block: A): A {
    this.blocks.set(nameOf(block), block)
    this.last = block
    return block
  }

  /** Whether the block was open, which it is no more. */
  delete(block: B): boolean {
    if (this.last === block) this.last = undefined
    return this.blocks.get(nameOf(block)) === block && this.blocks.delete(nameOf(block))
  }

  get all(): ReadonlyArray<B> {
    return [...this.blocks.values()]
  }

  get calls(): ReadonlyArray<OfKind<B, "call">> {
    return this.all.filter(({ kind }) => kind === "call") as ReadonlyArray<B> as ReadonlyArray<OfKind<B, "call">> // as they are
  }

  get prose(): ReadonlyArray<OfKind<B, "text">> {
    return this.all.filter(({ kind }) => kind !== "call") as ReadonlyArray<B> as ReadonlyArray<OfKind<B, "text">> // as above
  }
}

const nameOf = ({ key, kind }: Block): string => `${kind} ${key}`
