/** The body of a response that streams: bytes at once, then as they come, and a sign of life when nothing does. */
import type * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"

/** What a protocol says first, says when it is silent, and how it says its frames. */
export interface Options {
  /** So that the headers go out, and a proxy passes on what follows. */
  readonly hello: string
  readonly alive: string
  readonly heartbeat: Duration.Duration
}

/** The bytes of frames that come in chunks; each chunk is one packet. */
export const make = (frames: Stream.Stream<string>, options: Options): Stream.Stream<Uint8Array> => {
  const encoder = new TextEncoder()
  const said = Stream.mapArray(frames, (chunk) => [encoder.encode(chunk.length === 1 ? chunk[0] : chunk.join(""))])
  return Stream.concat(Stream.make(encoder.encode(options.hello)), withSigns(said, options))
}

/** Bytes as they come, and a sign of life when none do. */
export const withSigns = <E>(
  bytes: Stream.Stream<Uint8Array, E>,
  { alive, heartbeat }: Pick<Options, "alive" | "heartbeat">
): Stream.Stream<Uint8Array, E> => {
  const sign = new TextEncoder().encode(alive)
  const signs = Stream.map(Stream.fromSchedule(Schedule.spaced(heartbeat)), () => sign)
  return Stream.merge(bytes, signs, { haltStrategy: "left" })
}

export const headers = { "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" } as const
