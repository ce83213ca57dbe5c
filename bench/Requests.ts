/**
 * S13: clients of the model server, so many requests at once, or one after the other. What counts is the time that this
 * process has the processor (all its threads, also those that collect garbage); the server has a process of its own.
 */
import type { Case, Client, Protocol } from "./Case.ts"
import * as Server from "./server/Server.ts"
import * as Tokens from "./Tokens.ts"

export interface Load {
  readonly protocol: Protocol
  /** At once, one token every 5 ms, or at once after a call of a tool. */
  readonly pace: "fast" | "paced" | "tool"
  /** Tokens in a response. */
  readonly tokens: number
  /** Requests that are under way at the same time. */
  readonly atOnce: number
}

const percentile = (sorted: ReadonlyArray<number>, part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!

/** A case whose size counts tokens. */
export const make = (load: Load, client: Client): Case => {
  const { atOnce, pace, protocol, tokens } = load
  const ready = Server.start().then((origin) =>
    client({ protocol, url: `${origin}/${pace}/${tokens}${protocol === "openai" ? "/v1" : ""}`, tool: pace === "tool" })
  )
  return async (size) => {
    const ask = await ready
    const firsts: Array<number> = []
    const one = async (): Promise<void> => {
      const tally = new Tokens.Tally(tokens)
      const asked = performance.now()
      let first: number | undefined
      await ask((token) => {
        first ??= performance.now() - asked
        tally.see(token)
      })
      tally.end()
      firsts.push(first!)
    }
    const requests = Math.ceil(size / tokens)
    let left = requests
    const lane = async (): Promise<void> => {
      while (left-- > 0) await one()
    }
    const [cpu, wall] = [process.cpuUsage(), performance.now()]
    await Promise.all(Array.from({ length: Math.min(atOnce, requests) }, lane))
    const took = performance.now() - wall
    const { system, user } = process.cpuUsage(cpu)
    firsts.sort((a, b) => a - b)
    return {
      ms: (user + system) / 1000,
      facts: {
        "wall ms": took,
        "first token ms, p50": percentile(firsts, 0.5),
        "first token ms, p95": percentile(firsts, 0.95)
      }
    }
  }
}
