/** The search of the web, and the run over it. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { NoAnswer, NothingFound } from "../../examples/research/Findings.ts"
import * as PageReader from "../../examples/research/PageReader.ts"
import * as Passage from "../../examples/research/Passage.ts"
import * as Planner from "../../examples/research/Planner.ts"
import * as Reader from "../../examples/research/Reader.ts"
import type * as Searcher from "../../examples/research/Searcher.ts"
import * as SearchIndex from "../../examples/research/SearchIndex.ts"
import * as WebSearch from "../../examples/research/WebSearch.ts"
import * as WebSearcher from "../../examples/research/WebSearcher.ts"
import * as Writer from "../../examples/research/Writer.ts"
import * as Loopback from "../llm/Loopback.ts"
import * as Run from "./Run.ts"

const tavily = (env: Record<string, string>) =>
  WebSearch.layerTavily.pipe(
    Layer.provide([FetchHttpClient.layer, ConfigProvider.layer(ConfigProvider.fromUnknown(env))])
  )

const at = (baseUrl: string) => tavily({ TAVILY_API_KEY: "tvly-secret", TAVILY_BASE_URL: baseUrl })

const search = Effect.flatMap(WebSearch.WebSearch, (engine) => engine.search("tea"))

describe("WebSearch", () => {
  it.effect("asks Tavily with the key, and gives the pages it found", () =>
    Effect.gen(function* () {
      const results = [
        { url: "https://a.org/b", title: "A", content: "a", score: 1 },
        { url: "javascript:alert(1)", title: "B", content: "b", score: 1 },
        ...Array.from({ length: 9 }, (_, i) => ({ url: `https://${i}.org`, title: "C" }))
      ]
      const server = yield* Loopback.serve(Loopback.answer(200, { query: "tea", results }))
      const found = yield* Effect.provide(search, at(`${server.url}/`))
      assert.deepStrictEqual(
        found.map(({ url }) => url),
        ["https://a.org/b", "https://0.org", "https://1.org", "https://2.org", "https://3.org"]
      )
      const [asked] = server.received
      assert.deepStrictEqual([asked?.method, asked?.url], ["POST", "/search"])
      assert.strictEqual(asked?.headers.authorization, "Bearer tvly-secret")
      assert.deepStrictEqual(asked?.body, { query: "tea", max_results: 5 })
    })
  )

  it.effect("names no page of this network, unless the search engine stands there", () =>
    Effect.gen(function* () {
      const urls = ["http://10.0.0.1/a", "http://localhost:80/b", "https://a.org/c"]
      const body = JSON.stringify({ results: urls.map((url) => ({ url, title: "" })) })
      const client = Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, new Response(body))))
      )
      const found = (baseUrl: string) =>
        search.pipe(
          Effect.map((results) => results.map(({ url }) => url)),
          Effect.provide(
            WebSearch.layerTavily.pipe(
              Layer.provide([
                client,
                ConfigProvider.layer(ConfigProvider.fromUnknown({ TAVILY_API_KEY: "x", TAVILY_BASE_URL: baseUrl }))
              ])
            )
          )
        )
      assert.deepStrictEqual(yield* found("https://api.tavily.com"), ["https://a.org/c"])
      assert.deepStrictEqual(yield* found("http://localhost:9"), urls)
    })
  )

  it.effect.each<readonly [Loopback.Handler, RegExp]>([
    [Loopback.answer(401, {}), /^Tavily does not accept the key: check TAVILY_API_KEY$/],
    [Loopback.answer(429, {}), /^Tavily is asked too often: wait a little$/],
    [Loopback.answer(432, {}), /^Tavily's plan is used up: see to the account$/],
    [Loopback.answer(500, {}), /^Tavily answers 500$/],
    [Loopback.answer(200, { nothing: [] }), /^Tavily's answer is not understood$/],
    [Loopback.answer(200, "<html>"), /^Tavily's answer is not understood$/],
    [(response) => void response.socket?.destroy(), /^Tavily cannot be reached \(.+\): is this computer online\?$/]
  ])("a search that fails is one sentence %#", ([handler, sentence]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(handler)
      const error = yield* Effect.flip(Effect.provide(search, at(server.url)))
      assert.match(error.message, sentence)
      assert.notInclude(JSON.stringify(error), "tvly-secret")
    })
  )

  it.effect("gives up a search that nobody answers, and leaves", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(() => {})
      const fiber = yield* Effect.forkChild(Effect.flip(Effect.provide(search, at(server.url))))
      yield* server.asked
      yield* TestClock.adjust("21 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).message, "Tavily does not answer within 20 seconds")
      yield* server.closed
    })
  )

  it.effect("says which settings it wants", () =>
    Effect.gen(function* () {
      const message = (env: Record<string, string>) =>
        Effect.map(Effect.flip(Effect.provide(search, tavily(env))), ({ message }) => message)
      assert.match(yield* message({}), /set TAVILY_API_KEY/)
      assert.match(yield* message({ TAVILY_API_KEY: " " }), /set TAVILY_API_KEY/)
      assert.match(
        yield* message({ TAVILY_API_KEY: "x", TAVILY_BASE_URL: "here" }),
        /TAVILY_BASE_URL must be an address/
      )
    })
  )
})

/** A web of these pages, and a search engine that finds them all. */
const serve = (pages: Readonly<Record<string, string>>) =>
  Loopback.serve((...args) => {
    const [response, { headers, url = "" }] = args
    if (url === "/search") {
      const results = Object.keys(pages).map((path) => ({ url: `http://${headers.host}${path}`, title: path }))
      return Loopback.answer(200, { results })(...args)
    }
    const body = pages[url] ?? ""
    response.writeHead(body === "" ? 404 : 200, { "content-type": "text/html" }).end(body)
  })

const agents = Layer.mergeAll(Planner.layerEmbedded, Reader.layerEmbedded, Writer.layerEmbedded)

const web = ({ url }: Loopback.Loopback) => Layer.merge(Layer.provide(PageReader.layer, FetchHttpClient.layer), at(url))

const question = "How do I descale the kettle?"

type Agents = Planner.Planner | Reader.Reader | Searcher.Searcher | Writer.Writer

/** The replies, or the error that the run ended with. */
const ask = (layer: Layer.Layer<Agents, unknown>) =>
  Effect.map(Effect.exit(Effect.provide(Run.replies(question), layer)), (exit) =>
    Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit.value
  )

const answered = (layer: Layer.Layer<Agents, unknown>) =>
  Effect.map(ask(layer), (replies) => {
    assert.isArray(replies, String(replies))
    return (replies as ReadonlyArray<{ readonly text: string }>).map(({ text }) => text)
  })

const kettle = "<title>Kettle</title><nav>Home</nav><p>Press the red button to descale the kettle."

describe("the research agents over the web", () => {
  it.effect("cite pages by their addresses, and tell which could not be read", () =>
    Effect.gen(function* () {
      const server = yield* serve({ "/kettle": kettle, "/gone": "", "/zebra": "<p>Zebras are striped." })
      const layer = agents.pipe(
        Layer.provideMerge(Layer.provide(WebSearcher.layer, web(server))),
        Layer.provideMerge(SearchIndex.layerEmpty)
      )
      const told = yield* answered(layer)
      assert.strictEqual(told.at(-1), `Press the red button to descale the kettle. [1]\n\n[1] ${server.url}/kettle`)
      assert.include(told, `Could not read ${server.url}/gone: it answers 404`)
      assert.isTrue(told.some((line) => /^Found \d passages? in the web for "descale kettle"$/.test(line)))
      const visits = server.received.filter(({ url }) => url === "/kettle")
      assert.strictEqual(visits.length, 1)
    })
  )

  it.effect("search documents beside the web", () =>
    Effect.gen(function* () {
      const server = yield* serve({ "/kettle": kettle })
      const passages = Passage.fromMarkdown("manual.md", ["Vinegar can descale a kettle as well, overnight."])
      const index = SearchIndex.make({ root: "", documents: [], passages, skipped: [] })
      const layer = agents.pipe(
        Layer.provideMerge(Layer.provide(WebSearcher.layerWithDocuments, web(server))),
        Layer.provideMerge(Layer.effect(SearchIndex.SearchIndex, index))
      )
      const text = (yield* answered(layer)).at(-1)!
      assert.include(text, `] ${server.url}/kettle`)
      assert.include(text, "] manual.md:1")
    })
  )

  it.effect("say in a sentence that the web cannot be searched, or has nothing", () =>
    Effect.gen(function* () {
      const over = (server: Loopback.Loopback) =>
        agents.pipe(
          Layer.provideMerge(Layer.provide(WebSearcher.layer, web(server))),
          Layer.provideMerge(SearchIndex.layerEmpty)
        )
      const refused = yield* ask(over(yield* Loopback.serve(Loopback.answer(401, {}))))
      assert.instanceOf(refused, NothingFound)
      assert.strictEqual(refused.message, "Nothing was found: Tavily does not accept the key: check TAVILY_API_KEY")
      const url = yield* Loopback.nobody
      const offline = yield* ask(over({ url } as Loopback.Loopback))
      assert.match(
        (offline as Error).message,
        /^Nothing was found: Tavily cannot be reached \(.+\): is this computer online\?$/
      )
      assert.instanceOf(yield* ask(over(yield* serve({}))), NoAnswer)
      assert.instanceOf(yield* ask(over(yield* serve({ "/gone": "" }))), NoAnswer)
    })
  )
})
