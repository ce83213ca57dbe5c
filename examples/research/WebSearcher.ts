/** The searcher that looks into the web: it asks a search engine, reads the pages it names, and ranks their passages. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Agent, Message } from "miniagents"
import { Found, Progress } from "./Findings.ts"
import * as PageReader from "./PageReader.ts"
import * as Passage from "./Passage.ts"
import * as SearchIndex from "./SearchIndex.ts"
import * as Searcher from "./Searcher.ts"
import * as WebSearch from "./WebSearch.ts"

/** A page cut into passages. */
class PageRead extends Message.Class<PageRead>()("PageRead", {
  url: Schema.String,
  passages: Schema.Array(Passage.Passage)
}) {}

const page = Agent.make(
  "Page",
  { description: "Reads a page of the web", parameters: { url: Schema.String } },
  Effect.fnUntraced(function* (ctx) {
    const reader = yield* PageReader.PageReader
    const { cut, lines, title, url } = yield* reader.read(ctx.parameters.url)
    const passages = Passage.fromMarkdown(url, lines, title)
    yield* ctx.reply(new PageRead({ url, passages }))
    if (cut) yield* ctx.reply(new Progress({ content: `${url} is long: only its start was read` }))
  })
)

/** Pages that cannot be read are told, and the others are ranked. */
const searchWeb = Effect.fnUntraced(function* (ctx: Searcher.Context) {
  const { query } = ctx.parameters
  const engine = yield* WebSearch.WebSearch
  const results = yield* engine.search(query)
  const pages = yield* Effect.forEach(results, ({ url }) =>
    page.fork({ name: `Page ${new URL(url).host}` }).trigger([], { url }, { errorsAsMessages: true })
  )
  const read = yield* Effect.forEach(
    pages,
    Effect.fnUntraced(function* (replies, i) {
      const messages = yield* replies.messages
      for (const message of messages) {
        if (message instanceof Progress) yield* ctx.reply(message)
        if (message instanceof Message.Failure) {
          yield* ctx.reply(new Progress({ content: `Could not read ${results[i]!.url}: ${message.reason}` }))
        }
      }
      return messages.flatMap((message) => (message instanceof PageRead ? [message] : []))
    }),
    { concurrency: "unbounded" }
  )
  yield* ctx.reply(new Found({ query, source: "web", hits: yield* rank(query, read.flat()) }))
})

const rank = Effect.fnUntraced(function* (query: string, pages: ReadonlyArray<PageRead>) {
  const distinct = [...new Map(pages.map((page) => [page.url, page])).values()]
  const passages = distinct.flatMap(({ passages }) => passages)
  const ids = distinct.flatMap(({ passages, url }) => passages.map((_, i) => `${url}#${i}`))
  const index = yield* SearchIndex.make({ root: "", documents: [], passages, skipped: [] })
  const hits = yield* index.search(query)
  const best = hits[0]?.score ?? 1
  // each query ranks pages of its own: what is best for one counts as much as what is best for another
  return hits.map((hit) => ({ ...hit, id: ids[Number(hit.id)]!, score: hit.score / best }))
})

/** Searches the web. */
export const layer: Layer.Layer<Searcher.Searcher, never, PageReader.PageReader | WebSearch.WebSearch> =
  Searcher.Searcher.toLayer(searchWeb)

/** Searches the documents and the web. */
export const layerWithDocuments: Layer.Layer<
  Searcher.Searcher,
  never,
  PageReader.PageReader | SearchIndex.SearchIndex | WebSearch.WebSearch
> = Searcher.Searcher.toLayer((ctx) => Effect.andThen(Searcher.searchDocuments(ctx), searchWeb(ctx)))
