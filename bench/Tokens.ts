/** Tokens that all differ, the two ways in which they come one at a time, and the check of what a reader saw. */
import * as Stream from "effect/Stream"

const tables = new Map<number, ReadonlyArray<string>>()

/** The first `count` tokens, made once. */
export const take = (count: number): ReadonlyArray<string> => {
  const known = tables.get(count)
  if (known !== undefined) return known
  const table = Array.from({ length: count }, (_, i) => `t${i} `)
  tables.set(count, table)
  return table
}

/** An Effect Stream that emits one token per chunk. */
export const stream = (count: number): Stream.Stream<string> => Stream.fromIterable(take(count)).pipe(Stream.rechunk(1))

/** An async iterable as the SDKs of model providers give it: every `next()` is a promise of one token. */
export async function* iterable(count: number): AsyncGenerator<string> {
  const tokens = take(count)
  for (let i = 0; i < count; i++) yield tokens[i]!
}

/** Sees tokens and throws at the first that is lost, doubled or out of order. */
export class Tally {
  private seen = 0
  private readonly expected: ReadonlyArray<string>

  constructor(count: number) {
    this.expected = take(count)
  }

  readonly see = (token: string): void => {
    if (token !== this.expected[this.seen]) this.refuse(token)
    this.seen++
  }

  readonly seeAll = (tokens: ReadonlyArray<string>): void => {
    const { expected, seen } = this
    for (let i = 0; i < tokens.length; i++) if (tokens[i] !== expected[seen + i]) this.refuse(tokens[i]!)
    this.seen += tokens.length
  }

  /** Throws when tokens are missing. */
  end(): void {
    if (this.seen !== this.expected.length) throw new Error(`${this.seen} of ${this.expected.length} tokens came`)
  }

  private refuse(token: string): never {
    const got = token.length > 60 ? `${token.slice(0, 60)}...` : token
    throw new Error(`after ${this.seen} tokens or more came ${JSON.stringify(got)}, which is not the next one`)
  }
}
