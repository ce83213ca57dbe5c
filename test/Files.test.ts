/** Images and files: what they are made of, what they are the same as, and what they look like. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Equal, Schema } from "effect"
import { Message } from "miniagents"

const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
const dataUrl = "data:image/png;base64,iVBORw0KGgo="
const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))

describe("Message.file and Message.image", () => {
  it("are the same for the same bytes, however these are given", () => {
    const [a, b, c] = [Message.image(png), Message.image(dataUrl), Message.file(new URL(dataUrl))]
    for (const other of [b, c]) {
      assert.isTrue(Equal.equals(a, other))
      assert.strictEqual(a.hashKey, other.hashKey)
    }
    assert.deepStrictEqual([a.bytes, a.href, a.mediaType], [png, dataUrl, "image/png"])
    assert.notStrictEqual(Message.image(png, { fileName: "a.png" }).hashKey, a.hashKey)
    assert.isTrue(Object.isFrozen(a.source))
  })

  it("hand out copies of the bytes, which change nothing", () => {
    const image = Message.image(png)
    image.bytes?.fill(0)
    assert.deepStrictEqual(image.bytes, png)
  })

  it.each<[string | URL | Uint8Array, Message.FileOptions | undefined, string]>([
    [png, undefined, "image/png"],
    [ascii("\xFF\xD8\xFF\xE0"), undefined, "image/jpeg"],
    [ascii("GIF89a"), undefined, "image/gif"],
    [ascii("RIFF....WEBPVP8 "), undefined, "image/webp"],
    [ascii("RIFF....WAVEfmt "), undefined, "audio/wav"],
    [ascii("ID3\x03"), undefined, "audio/mpeg"],
    [ascii("%PDF-1.7"), undefined, "application/pdf"],
    [ascii("what"), undefined, "application/octet-stream"],
    [ascii("what"), { fileName: "notes.MD" }, "text/markdown"],
    [png, { mediaType: "image/x-mine" }, "image/x-mine"],
    ["data:,Hello%2C%20World", undefined, "application/octet-stream"],
    ["data:text/plain;charset=utf-8,Gr%C3%BC%C3%9Fe", undefined, "text/plain"],
    ["data:;base64,iVBORw0KGgo=", undefined, "image/png"],
    ["https://example.org/a/river.JPG?size=2#top", undefined, "image/jpeg"],
    ["https://example.org/a", undefined, "application/octet-stream"]
  ])("know the type of %s (%j)", (source, options, mediaType) => {
    assert.strictEqual(Message.file(source, options).mediaType, mediaType)
  })

  it("an image of which nothing tells the type is an image all the same", () => {
    assert.strictEqual(Message.image("https://example.org/a").mediaType, "image/*")
  })

  it.each(["file:///etc/passwd", "river.png", "data:image/png;base64,%%%", "ftp://example.org/a.png", "https://"])(
    "refuse %s in a sentence",
    (source) => {
      try {
        Message.image(source)
        assert.fail("it was taken")
      } catch (error) {
        assert.instanceOf(error, Message.InvalidMessage)
        assert.match(String((error as Message.InvalidMessage).message), /^`Message.image` got `.*` at `source`: .*give/)
      }
    }
  )

  it("print as Markdown that shows no bytes, and cannot be broken out of", () => {
    const image = Message.image(png, { fileName: "a](x).png\n" })
    assert.strictEqual(String(image), `![a_(x).png_](sha256:${image.hashKey})`)
    const page = Message.file("https://example.org/a (1).pdf")
    assert.strictEqual(String(page), "[application/pdf](https://example.org/a%20%281%29.pdf)")
  })
})

describe("messages with parts", () => {
  const image = Message.image(png)
  const said = Message.user(["Look", image, "and say", Message.text("what it is")])

  it("have the texts as their content, and print as all of it", () => {
    assert.strictEqual(said.content, "Look\n\nand say\n\nwhat it is")
    assert.strictEqual(String(said), `Look\n\n![image/png](sha256:${image.hashKey})\n\nand say\n\nwhat it is`)
  })

  it("refer to their files, which are messages inside of them", () => {
    assert.include(Message.nested(said), image)
    const json = Message.serialize(said)
    assert.notInclude(JSON.stringify(json), "iVBOR")
    assert.include(json["parts__hash_keys"] as ReadonlyArray<string>, image.hashKey)
    assert.notStrictEqual(said.hashKey, Message.user(["Look", "and say", "what it is"]).hashKey)
  })

  it.effect.each([said, Message.assistant([image]), image])(
    "are what they were when they are read again: %s",
    (message) =>
      Effect.gen(function* () {
        const codec = Message.codec()
        const json = JSON.parse(JSON.stringify(yield* Schema.encodeEffect(codec)(message))) as Schema.Json
        const again = yield* Schema.decodeEffect(codec)(json)
        assert.isTrue(Equal.equals(again, message))
        assert.strictEqual(again.hashKey, message.hashKey)
      })
  )

  it("print no bytes of the files in their own fields either", () => {
    class Sighting extends Message.Class<Sighting>()("Sighting", { where: Schema.String, photo: Message.File }) {}
    const text = String(new Sighting({ where: "Elbe", photo: image }))
    assert.include(text, "8 bytes")
    assert.notInclude(text, "iVBOR")
  })
})
