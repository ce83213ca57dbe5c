/** Searches the web: a service, and its implementation by Tavily (https://docs.tavily.com, `POST /search`). */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { isLocal } from "./LocalAddress.ts"
import { rootOf } from "./PageReader.ts"

/** A page that was found. */
export const Result = Schema.Struct({ url: Schema.String, title: Schema.String })

export type Result = typeof Result.Type

/** The web could not be searched; `reason` is a sentence that says what to do. */
export class WebSearchError extends Schema.TaggedError<WebSearchError>()("WebSearchError", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

export class WebSearch extends Context.Service<
  WebSearch,
  { readonly search: (query: string) => Effect.Effect<ReadonlyArray<Result>, WebSearchError> }
>()("miniagents/examples/research/WebSearch") {}

/** Tavily, with the key of `TAVILY_API_KEY`; `TAVILY_BASE_URL` is another address that speaks its protocol. */
export const layerTavily: Layer.Layer<WebSearch, WebSearchError, HttpClient.HttpClient> = Layer.effect(
  WebSearch,
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const settings = yield* Effect.mapError(tavily, ({ message }) => failed(`Tavily is not configured: ${message}`))
    const key = Redacted.value(settings.key).trim()
    if (key === "")
      return yield* failed("To search the web, set TAVILY_API_KEY (there are free keys at https://tavily.com)")
    const address = `${settings.baseUrl.replace(/\/+$/, "")}/search`
    if (!/^https?:\/\//.test(address) || !URL.canParse(address)) {
      return yield* failed("TAVILY_BASE_URL must be an address such as `https://api.tavily.com`")
    }
    return { search: (query) => search(client, address, key, query) }
  })
)

const tavily = Config.all({
  key: Config.Redacted("TAVILY_API_KEY").pipe(Config.withDefault(Redacted.make(""))),
  baseUrl: Config.String("TAVILY_BASE_URL").pipe(Config.withDefault("https://api.tavily.com"))
})

const mostResults = 5
const patience = "20 seconds"

const search = (client: HttpClient.HttpClient, address: string, key: string, query: string) =>
  Effect.gen(function* () {
    const request = HttpClientRequest.post(address).pipe(
      HttpClientRequest.bearerToken(key),
      HttpClientRequest.bodyJsonUnsafe({ query, max_results: mostResults })
    )
    const response = yield* Effect.mapError(client.execute(request), notReached)
    if (response.status !== 200) return yield* refused(response.status)
    const body = yield* Effect.mapError(response.text, notReached)
    const { results } = yield* Effect.mapError(decodeAnswer(body), () => failed("Tavily's answer is not understood"))
    return results.filter(({ url }) => isPage(url) && (!isLocal(url) || isLocal(address))).slice(0, mostResults)
  }).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.fail(failed("Tavily does not answer within 20 seconds"))
    })
  )

const decodeAnswer = Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Struct({ results: Schema.Array(Result) })))

const isPage = (url: string): boolean => /^https?:\/\//i.test(url) && URL.canParse(url)

const failed = (reason: string) => new WebSearchError({ reason })

const notReached = (error: unknown): WebSearchError =>
  failed(`Tavily cannot be reached (${rootOf(error)}): is this computer online?`)

const refused = (status: number): WebSearchError => {
  if (status === 401 || status === 403) return failed("Tavily does not accept the key: check TAVILY_API_KEY")
  if (status === 429) return failed("Tavily is asked too often: wait a little")
  if (status === 432 || status === 433) return failed("Tavily's plan is used up: see to the account")
  return failed(`Tavily answers ${status}`)
}
