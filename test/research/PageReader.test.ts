/** Pages on the loopback interface, good ones and others. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as LocalAddress from "../../examples/research/LocalAddress.ts"
import * as PageReader from "../../examples/research/PageReader.ts"
import * as PublicFetch from "../../examples/research/PublicFetch.ts"
import * as Loopback from "../llm/Loopback.ts"

const layer = Layer.provide(PageReader.layer, PublicFetch.layer())

const read = (url: string) => Effect.flatMap(PageReader.PageReader, (reader) => reader.read(url))

const page =
  (body: string | Uint8Array, type: string | undefined = "text/html", status = 200): Loopback.Handler =>
  (response) =>
    void response.writeHead(status, type === "" ? {} : { "content-type": type }).end(body)

const redirect =
  (location: string, status = 302): Loopback.Handler =>
  (response) =>
    void response.writeHead(status, { location }).end()

const latin = new Uint8Array([0x47, 0x72, 0xfc, 0xdf, 0x65])

describe("PageReader", () => {
  it.effect.each<readonly [string, Loopback.Handler, ReadonlyArray<string>]>([
    ["HTML", page("<title>T</title><h1>A</h1><p>One. Two."), ["# A", "", "One.", "Two.", ""]],
    ["XHTML", page("<p>a</p>", "application/xhtml+xml"), ["a", ""]],
    ["plain text", page("a <b>\r\nb", "text/plain; charset=utf-8"), ["a <b>", "b"]],
    ["Markdown", page("# A", "text/markdown"), ["# A"]],
    ["what has no type", page("<p>a", ""), ["a", ""]],
    ["the charset of the header", page(latin, "text/plain; charset=ISO-8859-1"), ["Grüße"]],
    ["a charset that nobody knows as UTF-8", page("Grüße", "text/plain; charset=klingon"), ["Grüße"]],
    [
      "the charset of the page",
      page(Buffer.concat([Buffer.from('<meta charset="windows-1252"><p>'), latin])),
      ["Grüße", ""]
    ],
    ["UTF-16 by its mark", page(Buffer.from("\ufeff<p>Grüße", "utf16le")), ["Grüße", ""]]
  ])("reads %s", ([_, handler, lines]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(handler)
      assert.deepStrictEqual((yield* read(server.url)).lines, lines)
    }).pipe(Effect.provide(layer))
  )

  it.effect("follows redirects, and says where the page was in the end", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((...args) => {
        const handlers: Record<string, Loopback.Handler> = {
          "/a": redirect("/b#part", 301),
          "/b": redirect("c", 307),
          "/c": page("<p>There")
        }
        return handlers[args[1].url ?? ""]!(...args)
      })
      const found = yield* read(`${server.url}/a`)
      assert.deepStrictEqual([found.url, found.lines[0], found.cut], [`${server.url}/c`, "There", false])
    }).pipe(Effect.provide(layer))
  )

  it.effect("reads a page once", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(page("<p>a"))
      yield* Effect.all([read(server.url), read(`${server.url}#b`), read(server.url)], { concurrency: "unbounded" })
      assert.strictEqual(server.received.length, 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("reads the start of a page that does not end, and leaves", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((response) => {
        response.writeHead(200, { "content-type": "text/plain" })
        const more = () => {
          while (response.write("so on ".repeat(1_000)));
          response.once("drain", more)
        }
        more()
      })
      const found = yield* read(server.url)
      assert.isTrue(found.cut)
      assert.strictEqual(found.lines.join("\n").length, 500_000)
      yield* server.closed
    }).pipe(Effect.provide(layer))
  )

  it.effect.each<readonly [string, Loopback.Handler, RegExp]>([
    ["a page that is not there", page("", "text/html", 404), /^it answers 404$/],
    ["a server that fails", page("", "text/html", 503), /^it answers 503$/],
    ["a picture", page(new Uint8Array([137, 80, 0]), "image/png"), /^it is `image\/png`, not text$/],
    ["a PDF", page("%PDF", "application/pdf"), /^it is `application\/pdf`, not text$/],
    ["a program that says it is HTML", page(new Uint8Array([127, 69, 0, 1])), /^it is not text$/],
    ["an empty page", page(""), /^it has no text/],
    ["a page made by scripts", page("<div id=app></div><script>go()</script>"), /^it has no text/],
    ["a page that nests too deep", page("<div>x".repeat(50_000)), /^it is too intricate$/],
    ["redirects in a circle", redirect("/"), /^it redirects more than 5 times$/],
    [
      "a redirect out of the web",
      redirect("file:///etc/passwd"),
      /^it is no page of the web: `file:\/\/\/etc\/passwd`$/
    ],
    ["a redirect to nowhere", redirect("http://"), /^it redirects to `http:\/\/`, which is no address$/],
    ["a connection that is cut", (response) => void response.socket?.destroy(), /^it cannot be reached \(.+\)$/]
  ])("says in a sentence what is wrong with %s", ([_, handler, sentence]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(handler)
      const error = yield* Effect.flip(read(server.url))
      assert.match(error.message, sentence)
      assert.isAtMost(server.received.length, 6)
    }).pipe(Effect.provide(layer))
  )

  it.effect("says that nobody is there", () =>
    Effect.gen(function* () {
      const url = yield* Loopback.nobody
      assert.match((yield* Effect.flip(read(url))).message, /^it cannot be reached \(.*ECONNREFUSED.*\)$/)
      assert.match((yield* Effect.flip(read("ftp://here"))).message, /^it is no page of the web/)
    }).pipe(Effect.provide(layer))
  )

  it.effect.each<readonly [string, Loopback.Handler]>([
    ["answer", () => {}],
    ["go on", (response) => void response.writeHead(200, { "content-type": "text/html" }).write("<p>a")]
  ])("gives up a page that does not %s, and leaves", ([_, handler]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(handler)
      const fiber = yield* Effect.forkChild(Effect.flip(read(server.url)))
      yield* server.asked
      yield* TestClock.adjust("16 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).message, "it did not come within 15 seconds")
      yield* server.closed
    }).pipe(Effect.provide(layer))
  )

  it.effect("goes from the web into no network of its own", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const client = HttpClient.make((request, url) =>
        Effect.sync(() => {
          asked.push(url.href)
          const headers = { location: "http://169.254.169.254/secret" }
          return HttpClientResponse.fromWeb(request, new Response(null, { status: 302, headers }))
        })
      )
      const error = yield* Effect.flip(read("https://example.org/")).pipe(
        Effect.provide(Layer.provide(PageReader.layer, Layer.succeed(HttpClient.HttpClient, client)))
      )
      assert.strictEqual(error.message, "it redirects into this network, which no page may")
      assert.deepStrictEqual(asked, ["https://example.org/"])
    })
  )

  it.effect.each<readonly [string, ReadonlyArray<string>]>([
    ["this computer", ["127.0.0.1"]],
    ["this computer in another notation", ["::ffff:127.0.0.1"]],
    ["this network", ["10.1.2.3"]],
    ["one public address and one of this network", ["93.184.215.14", "fd00::1"]],
    ["nothing", []]
  ])("does not connect to a name of the web that leads to %s, asked or redirected to", ([_, addresses]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((...args) => redirect(`http://rebind.example.org:${port}/`)(...args))
      const { port } = new URL(server.url)
      const find: PublicFetch.Lookup = (_name, _options, found) =>
        found(
          null,
          addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }))
        )
      const wrong = Layer.provide(PageReader.layer, PublicFetch.layer(find))
      const ask = (url: string) => Effect.provide(Effect.flip(read(url)), wrong)
      const sentence = "it cannot be reached (`rebind.example.org` leads into this network, which no page may)"
      assert.strictEqual((yield* ask(`http://rebind.example.org:${port}/`)).message, sentence)
      assert.strictEqual(server.received.length, 0)
      assert.strictEqual((yield* ask(server.url)).message, sentence)
      assert.strictEqual(server.received.length, 1)
    })
  )

  it.effect("connects to the address that was looked at, also one of this computer where that was asked for", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(page("<p>There"))
      const { port } = new URL(server.url)
      let asked = 0
      const find: PublicFetch.Lookup = (_name, _options, found) =>
        found(null, [{ address: asked++ === 0 ? "127.0.0.1" : "127.0.0.2", family: 4 }])
      const found = yield* Effect.provide(
        read(`http://localhost:${port}/`),
        Layer.provide(PageReader.layer, PublicFetch.layer(find))
      )
      assert.deepStrictEqual([found.lines[0], asked], ["There", 1])
    })
  )

  const networks: Readonly<Record<string, string>> = {
    names: "localhost a.localhost localhost. nas x.local x.internal x.lan router.home.arpa x.home x.corp LOCALHOST",
    "this computer": "127.0.0.1 127.1 0x7f.1 2130706433 0.0.0.0 0.1.2.3 [::] [::1]",
    "private networks": "10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 [fc00::1] [fd00::1] [fec0::1]",
    "this link": "169.254.169.254 [fe80::1]",
    "several at once": "224.0.0.1 239.255.255.255 255.255.255.255 [ff02::1]",
    "an address in another":
      "[::127.0.0.1] [::ffff:10.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b:1::1] [4000::1] [::8.8.8.8] [2002:7f00:1::] [2001::1]",
    "what is kept back":
      "192.0.0.1 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 240.0.0.1 [2001:db8::1] [100::1]"
  }
  it.each(Object.entries(networks))("knows that no public address is one of %s", (_, hosts) => {
    for (const host of hosts.split(" ")) assert.isTrue(LocalAddress.isLocal(`http://${host}/`), host)
  })

  it("knows public addresses", () => {
    const hosts = "example.org 172.15.0.1 172.32.0.1 8.8.8.8 198.17.0.1 198.20.0.1 223.255.255.255 [2606:4700::1111]"
    for (const host of `${hosts} 10.example.org local.org home.arpa.org`.split(" ")) {
      assert.isFalse(LocalAddress.isLocal(`https://${host}/`), host)
    }
  })
})
