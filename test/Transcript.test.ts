import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import { Transcript } from "miniagents"

describe("Transcript.Event", () => {
  it.effect.prop(
    "goes through JSON and through bytes unchanged",
    { events: Schema.Array(Transcript.Event) },
    ({ events }) =>
      Effect.gen(function* () {
        const json = Schema.fromJsonString(Schema.Array(Transcript.Event))
        assert.deepStrictEqual(
          yield* Schema.decodeEffect(json)(yield* Schema.encodeEffect(json)(events)),
          events.map((event) => JSON.parse(JSON.stringify(event)) as Transcript.Event)
        )
        // half a surrogate pair has no bytes of its own in UTF-8
        const formed = JSON.parse(JSON.stringify(events).replaceAll(/\\ud[89a-f]../gi, "?")) as typeof events
        const bytes = SchemaBinary.toCodec(Schema.Array(Transcript.Event))
        assert.deepStrictEqual(yield* Schema.decodeEffect(bytes)(yield* Schema.encodeEffect(bytes)(formed)), formed)
      })
  )
})

describe("Transcript.Position", () => {
  it.each(["0.0", "3.120", "12.x", "999999999.999999999999999"])("%s is one", (position) => {
    assert.isTrue(Schema.is(Transcript.Position)(position))
  })
  it.each(["", "3", "3.", ".x", "-1.0", "3.1x", "3.x\n", " 3.x", "1e3.0", "9999999999.0", "end"])(
    "%j is none",
    (text) => {
      assert.isFalse(Schema.is(Transcript.Position)(text))
    }
  )
  it("a reset moves a reader back to what is left", () => {
    const reset = (at: number, to: number) => Transcript.after("9.9", { _tag: "reset", at, to })
    assert.deepStrictEqual([reset(3, 2), reset(3, 0), reset(0, 0)], ["3.2", "2.x", undefined])
    assert.strictEqual(Transcript.after("9.9", { _tag: "end" }), "9.9")
  })
})
