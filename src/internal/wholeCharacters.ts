/** Texts that come in pieces, without a piece that ends inside of a character. */
import * as Stream from "effect/Stream"

/** Holds back the half of a character beyond the first 65,536 that a piece ends with. */
export class Joiner {
  private held = ""

  push(text: string): string {
    const whole = this.held + text
    this.held = isHighSurrogate(whole.charCodeAt(whole.length - 1)) ? whole.slice(-1) : ""
    return whole.slice(0, whole.length - this.held.length)
  }

  /** A half without its other half. */
  end(): string {
    const { held } = this
    this.held = ""
    return held
  }
}

/** Holds back, too, what a terminal may show as one with what follows: an emoji and what joins or colours it. */
export class EmojiJoiner extends Joiner {
  private emoji = ""

  override push(text: string): string {
    const whole = this.emoji + super.push(text)
    this.emoji = ""
    // nearly every piece ends with a letter, a blank or a mark
    if (whole === "" || whole.charCodeAt(whole.length - 1) < 0x80) return whole
    const last = [...graphemes.segment(whole.slice(-LONGEST))].at(-1)?.segment ?? ""
    this.emoji = pictograph.test(last) ? last : ""
    return whole.slice(0, whole.length - this.emoji.length)
  }

  override end(): string {
    const { emoji } = this
    this.emoji = ""
    return emoji + super.end()
  }
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })
/** No emoji that people send is longer. */
const LONGEST = 64
const pictograph = /\p{Extended_Pictographic}|\p{Regional_Indicator}/u

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff

/** The same texts, cut elsewhere. */
export const joinedBy =
  (make: () => Joiner) =>
  <E, R>(texts: Stream.Stream<string, E, R>): Stream.Stream<string, E, R> =>
    Stream.suspend(() => {
      const joiner = make()
      return Stream.concat(
        Stream.map(texts, (text) => joiner.push(text)),
        Stream.sync(() => joiner.end())
      )
    })
