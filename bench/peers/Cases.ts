/** S1, S2 and S3 for any adapter. */
import type { Adapter, Case } from "../Case.ts"
import * as Tokens from "../Tokens.ts"

const read = async (call: ReturnType<Adapter>, count: number): Promise<void> => {
  const tally = new Tokens.Tally(count)
  await call(tally.see)
  tally.end()
}

export const make = (agent: Adapter): Readonly<Record<"S1" | "S2" | "S3", Case>> => ({
  S1: async (calls) => {
    const call = agent(() => Tokens.iterable(1))
    for (let i = 0; i < calls; i++) await read(call, 1)
  },
  S2: (tokens) =>
    read(
      agent(() => Tokens.iterable(tokens)),
      tokens
    ),
  S3: async (agents) => {
    const calls = Array.from({ length: agents }, () => agent(() => Tokens.iterable(1000)))
    await Promise.all(calls.map((call) => read(call, 1000)))
  }
})
