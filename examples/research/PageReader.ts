/** Reads pages of the web as text: a service, and its implementation over an HTTP client. */
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as HtmlWorker from "./HtmlWorker.ts"
import { isLocal } from "./LocalAddress.ts"

/** A page as text: Markdown if it was HTML. `url` is where it was in the end. */
export interface Page {
  readonly url: string
  readonly title: string
  readonly lines: ReadonlyArray<string>
  /** Whether there is more of it than was read. */
  readonly cut: boolean
}

/** A page could not be read; `reason` continues a sentence that starts with the page. */
export class PageError extends Schema.TaggedError<PageError>()("PageError", {
  url: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `it ${this.reason}`
  }
}

export class PageReader extends Context.Service<
  PageReader,
  { readonly read: (url: string) => Effect.Effect<Page, PageError> }
>()("miniagents/examples/research/PageReader") {}

/** Each page is read once, with a limit on its size, its redirects, and the time it takes. */
export const layer: Layer.Layer<PageReader, never, HttpClient.HttpClient> = Layer.effect(
  PageReader,
  Effect.gen(function* () {
    const client = HttpClient.withScope(yield* HttpClient.HttpClient)
    const pages = yield* Cache.make({ capacity: 500, lookup: (url: string) => read(client, url) })
    return { read: (url) => Cache.get(pages, withoutFragment(url)) }
  })
)

const patience = "15 seconds"
const mostRedirects = 5
const mostBytes = 500_000

type ScopedClient = ReturnType<typeof HttpClient.withScope<HttpClientError.HttpClientError, never>>

const read = Effect.fnUntraced(function* (client: ScopedClient, asked: string) {
  const { cut, isHtml, text, url } = yield* follow(client, asked, asked, 0).pipe(
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
    Effect.timeoutOrElse({ duration: patience, orElse: () => failed(asked, "did not come within 15 seconds") })
  )
  const { markdown, title } = isHtml
    ? yield* Effect.catch(HtmlWorker.toMarkdown(text), (reason) => failed(asked, `is ${reason}`))
    : { title: "", markdown: text }
  if (markdown.trim() === "") return yield* failed(asked, "has no text (it may be made by scripts)")
  return { url: withoutFragment(url), title, lines: markdown.split(/\r\n|\n|\r/), cut } satisfies Page
})

/** A page as it came. */
interface Source extends Pick<Page, "cut" | "url"> {
  readonly text: string
  readonly isHtml: boolean
}

const follow = (client: ScopedClient, asked: string, url: string, hops: number): Effect.Effect<Source, PageError> =>
  Effect.gen(function* () {
    if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
      return yield* failed(asked, `is no page of the web: \`${url}\``)
    const response = yield* Effect.mapError(
      client.get(url, {
        headers: { accept: "text/html, text/markdown, text/plain;q=0.9", "user-agent": "miniagents" }
      }),
      (error) => notReached(asked, error)
    )
    const { location } = response.headers
    if (response.status < 300 || response.status > 399 || location === undefined) {
      return yield* sourceOf(asked, url, response)
    }
    if (!URL.canParse(location, url)) return yield* failed(asked, `redirects to \`${location}\`, which is no address`)
    const next = new URL(location, url).href
    return isLocal(next) && !isLocal(url)
      ? yield* failed(asked, "redirects into this network, which no page may")
      : next
  }).pipe(
    Effect.scoped, // the connection of a redirect is given back before the next one is asked for
    Effect.filterOrElse(
      (found) => typeof found !== "string",
      (next) =>
        hops === mostRedirects
          ? failed(asked, `redirects more than ${mostRedirects} times`)
          : follow(client, asked, next, hops + 1)
    )
  )

const sourceOf = Effect.fnUntraced(function* (
  asked: string,
  url: string,
  response: HttpClientResponse.HttpClientResponse
) {
  if (response.status < 200 || response.status > 299) return yield* failed(asked, `answers ${response.status}`)
  const type = (response.headers["content-type"] ?? "").toLowerCase()
  const kind = type.split(";")[0]!.trim()
  const isHtml = /^(?:|text\/html|application\/xhtml\+xml)$/.test(kind)
  if (!isHtml && !/^text\/(?:plain|(?:x-)?markdown)$/.test(kind))
    return yield* failed(asked, `is \`${kind}\`, not text`)
  const { bytes, cut } = yield* Effect.mapError(start(response), (error) => notReached(asked, error))
  if (bytes.subarray(0, 8_192).includes(0) && !isUtf16(bytes)) return yield* failed(asked, "is not text")
  return { url, isHtml, text: decode(bytes, type), cut } satisfies Source
})

/** The start of a body. Ending the stream early closes the connection. */
const start = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  const bytes = new Uint8Array(mostBytes)
  let size = 0
  let cut = false
  yield* response.stream.pipe(
    Stream.takeUntil((chunk) => {
      cut = size + chunk.length > mostBytes
      const part = chunk.subarray(0, mostBytes - size)
      bytes.set(part, size)
      size += part.length
      return cut
    }),
    Stream.runDrain
  )
  return { bytes: bytes.subarray(0, size), cut }
})

const isUtf16 = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xfe && bytes[1] === 0xff) || (bytes[0] === 0xff && bytes[1] === 0xfe)

/** By its mark at the start, else what the header says, else what the page says of itself, else UTF-8. */
const decode = (bytes: Uint8Array, type: string): string => {
  if (isUtf16(bytes)) return new TextDecoder(bytes[0] === 0xfe ? "utf-16be" : "utf-16le").decode(bytes)
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 1_024))
  const said = charset.exec(type) ?? /<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w:.-]+)/i.exec(head)
  return decoderOf(said?.[1]).decode(bytes)
}

const charset = /charset\s*=\s*["']?\s*([\w:.-]+)/i

const decoderOf = (label: string | undefined): InstanceType<typeof TextDecoder> => {
  try {
    return new TextDecoder(label)
  } catch {
    return new TextDecoder() // a name that nobody knows
  }
}

const withoutFragment = (url: string): string => url.replace(/#.*$/, "")

const failed = (url: string, reason: string): Effect.Effect<never, PageError> =>
  Effect.fail(new PageError({ url, reason }))

const notReached = (url: string, error: HttpClientError.HttpClientError): PageError =>
  new PageError({ url, reason: `cannot be reached (${rootOf(error)})` })

/** The innermost of the errors is the one that tells. */
export const rootOf = (error: unknown): string => {
  let root = error
  while (root instanceof Error) {
    const inner: unknown = root.cause ?? ("reason" in root && root.reason !== root ? root.reason : undefined)
    if (!(inner instanceof Error)) break
    root = inner
  }
  return root instanceof Error ? root.message.replace(/\s+/g, " ") || root.name : String(root)
}
