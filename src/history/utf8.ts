/** UTF-8 for texts that come in pieces: two halves of a character may stand in two tokens. */
import * as Stream from "effect/Stream"

export class Encoder {
  private readonly encoder = new TextEncoder()
  private half = ""

  take(text: string): Uint8Array {
    const whole = this.half + text
    this.half = isHighSurrogate(whole.charCodeAt(whole.length - 1)) ? whole.slice(-1) : ""
    return this.encoder.encode(whole.slice(0, whole.length - this.half.length))
  }

  /** A half without its other half has no UTF-8 form: U+FFFD stands for it. */
  end(): Uint8Array {
    const { half } = this
    this.half = ""
    return this.encoder.encode(half)
  }
}

export const encode = <E, R>(texts: Stream.Stream<string, E, R>): Stream.Stream<Uint8Array, E, R> =>
  Stream.suspend(() => {
    const encoder = new Encoder()
    return Stream.concat(
      Stream.map(texts, (text) => encoder.take(text)),
      Stream.sync(() => encoder.end())
    )
  })

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff
