/** The words that scenarios, adapters and the harness share. */

/** What a run took and noticed. Without `ms` the harness takes the time of the whole run. */
export interface Outcome {
  readonly ms?: number
  /** Megabytes that a process of its own held at most, where the work was done in one. */
  readonly peak?: number
  readonly facts?: Readonly<Record<string, number>>
}

/**
 * One way to do the work of a scenario, at a size (calls, tokens, agents: the scenario says what).
 * It throws when what it read is not exactly what was sent, so a lossy library fails instead of being fast.
 */
export type Case = (size: number) => Promise<Outcome | void>

/**
 * A library under test: makes an agent whose zero-latency model streams what `source` gives.
 * Each call of the agent runs the model once and shows the reader's tokens to `see` as they come.
 */
export type Adapter = (source: () => AsyncIterable<string>) => (see: (token: string) => void) => Promise<void>

/** A protocol of model providers. */
export type Protocol = "openai" | "anthropic"

/** The model server of S13, as a client needs to know it. */
export interface Endpoint {
  readonly protocol: Protocol
  /** The address that goes where a user says `baseURL`. */
  readonly url: string
  /** The agent has the tool `lookup`, which takes a `word` and gives what `lookup` says; the model calls it once. */
  readonly tool: boolean
}

/**
 * A library on a provider's protocol over HTTP: made once; each call asks the model one question, runs the tool it asks
 * for, and shows the reader's tokens of the answer to `see` as they come.
 */
export type Client = (endpoint: Endpoint) => Promise<(see: (token: string) => void) => Promise<void>>

/** What the tool `lookup` gives; the server sends no answer without it. */
export const lookup = (word: string): string => `found ${word}`
