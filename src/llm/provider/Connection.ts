/**
 * A provider's client as effects: requests that end with their fiber, errors as `AiError` reasons, and time-outs for a
 * server that says nothing. It knows no protocol; an official SDK does the talking.
 *
 * @since 0.1.0
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import type * as AiError from "effect/ai/AiError"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as String from "effect/String"
import { credentialsOf, withoutSecrets } from "../../internal/address.ts"
import { BodyText, GivenText, type Reader, type Text } from "./bodyText.ts"
import * as Failure from "./failure.ts"
import { CurrentTimeouts, Patience, silence } from "./patience.ts"
import { type ServerSentEvent, ServerSentEvents } from "./serverSentEvents.ts"

/**
 * The facts that tell providers of one protocol apart.
 *
 * @since 0.1.0
 * @category models
 */
export interface Profile<in out Params> {
  /** The name in spans (`gen_ai.provider.name`), in errors, and of the metadata on response parts. */
  readonly name: string
  /** The address, or the empty text where everyone has one of their own. */
  readonly baseUrl: string
  /** The environment variable that `layerConfig` reads the key from. */
  readonly keyVariable: string
  /** The environment variable that `layerConfig` reads another address from. */
  readonly baseUrlVariable: string
  /** Whether the provider's own address takes requests without a key. */
  readonly isKeyOptional?: boolean
  /** The header for the key, where it is not the one that the SDK sends. */
  readonly keyHeader?: string
  /** The base URL of the address that a variable or an option has, where people write it in another form. */
  readonly toBaseUrl?: (address: string) => string
  /** The last word on a request, for servers that refuse a parameter or want one more. */
  readonly adapt?: (params: Params) => Params
}

/**
 * Where a client connects to, and how long it waits. Only content counts as an answer: keep-alives do not. A reader
 * that takes its time is not counted. `ModelLayer.timeouts` sets other limits for a model.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Left out, no key is sent, as servers on one's own machine want it. No environment variable is read for it. */
  readonly apiKey?: Redacted.Redacted | undefined
  readonly baseUrl?: string | undefined
  /**
   * From the request to the first token. Node's own `fetch` would give up after 5 minutes.
   *
   * @default "4 minutes"
   */
  readonly firstToken?: Duration.Input | undefined
  /**
   * From one token to the next, and to the end.
   *
   * @default "2 minutes"
   */
  readonly betweenTokens?: Duration.Input | undefined
}

/**
 * A client. The SDK's own object holds the key in plain text, so it is lent to functions and cannot be printed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection<out Sdk, in out Params> {
  readonly profile: Profile<Params>
  /** The address, without credentials and query. */
  readonly url: string
  /** A mark of the host, where it is not the provider's own: what only this server understands is marked with it. */
  readonly server: string | undefined
  /**
   * Any call of the SDK. Pass it the signal, which aborts the request when the effect is interrupted. Ends in a
   * `NetworkError` after `firstToken`.
   */
  readonly use: <A>(
    request: (sdk: Sdk, signal: AbortSignal) => PromiseLike<A>
  ) => Effect.Effect<A, AiError.AiErrorReason>
  /**
   * Opens a streaming call, within the time-outs, and gives its events as they come. Closing the scope closes the
   * connection.
   */
  readonly open: (
    request: (sdk: Sdk, signal: AbortSignal) => PromiseLike<Opened>
  ) => Effect.Effect<Incoming, AiError.AiErrorReason, Scope.Scope>
  /** The error that an event tells of, by its name and its body, if it tells of one. */
  readonly failureOf: (name: string, body: unknown) => AiError.AiErrorReason | undefined
  /** Takes the key and the like out of a text. */
  readonly redact: (text: string) => string
}

/**
 * The response to a streaming call, whose body nobody has read: what the SDKs give by `asResponse()`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Opened {
  readonly headers: { readonly get: (name: string) => string | null }
  readonly body: { readonly getReader: () => Reader } | null
}

/**
 * Handlers that make something of the events of a response: those that came together are given together.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handlers<out A, out E> {
  /** Gives nothing where it takes more events to make something. */
  readonly events: (events: ReadonlyArray<ServerSentEvent>) => Effect.Effect<A, E> | undefined
  /** The response has ended; there may be an event that nothing followed. */
  readonly end: (events: ReadonlyArray<ServerSentEvent>) => Effect.Effect<A, E>
  /** The connection gave out, or the server was silent for too long. */
  readonly broken: (reason: AiError.AiErrorReason) => Effect.Effect<A, E>
}

/**
 * A response as it comes in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Incoming {
  /**
   * Reads on until something is made of it. It gives way now and then, so that whoever reads what is made is not kept
   * waiting by what came at once, of this response or of others.
   */
  readonly read: <A, E>(handlers: Handlers<A, E>) => Effect.Effect<A, E>
  /** Leaves the rest unread, but for an end that is about to come: the connection can then be used again. */
  readonly leave: Effect.Effect<void>
  /** Tells that there was content in an event: from here on `betweenTokens` counts, anew. */
  readonly heard: () => void
  /** The response did not come as a stream, and is whole when its only event is there. */
  readonly isDocument: boolean
  /** The error of a response that has ended and was not whole. */
  readonly incomplete: () => AiError.AiErrorReason
}

/**
 * The options of an SDK's client beside what is settled here.
 *
 * @since 0.1.0
 * @category models
 */
export type SdkOptions<ClientOptions> = Omit<ClientOptions, keyof Settings> & {
  readonly defaultHeaders?: { readonly [name: string]: string | null } | undefined
}

/**
 * The settings of every SDK's client: it is quiet, and leaves retries and time-outs to its caller. Without a key it
 * gets a word in its place, so that it looks for none in the environment, and the header is left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  readonly apiKey: string
  readonly baseURL: string
  readonly defaultHeaders: { readonly [name: string]: string | null }
  readonly logLevel: "off"
  readonly maxRetries: 0
  readonly timeout: number
}

/**
 * Loads an SDK and wraps its client. Dies if it is not installed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Sdk, Module, Params>(options: {
  readonly profile: Profile<Params>
  readonly options: Options
  readonly headers: Settings["defaultHeaders"] | undefined
  /** The name of the SDK's package, for the sentence that says it is missing. */
  readonly package: string
  readonly load: () => PromiseLike<Module>
  readonly client: (module: Module, settings: Settings) => Sdk
}): Effect.Effect<Connection<Sdk, Params>> =>
  Effect.gen(function* () {
    const { profile } = options
    const module = yield* Effect.tryPromise(options.load).pipe(
      Effect.catch(({ cause }) => Effect.die(notInstalled(options.package, cause)))
    )
    const key = options.options.apiKey && Redacted.value(options.options.apiKey)
    const { keyHeader, toBaseUrl = (address) => address } = profile
    const baseURL = options.options.baseUrl ? toBaseUrl(options.options.baseUrl) : profile.baseUrl
    // An SDK would take its own in its place, and the key with it.
    if (baseURL === "") return yield* Effect.die(new Error(`\`${profile.name}\` has no address: give a \`baseUrl\``))
    const defaultHeaders = {
      ...(key && keyHeader === undefined ? {} : { Authorization: null }),
      ...(key && keyHeader !== undefined && { [keyHeader]: key }),
      ...options.headers
    }
    return wrap(options.client(module, { ...quiet, baseURL, apiKey: key || "none", defaultHeaders }), profile, {
      ...options.options,
      baseUrl: baseURL,
      hasKey: Boolean(key),
      redact: redactor([...(key ? [key] : []), ...secretsOf(baseURL)])
    })
  })

/**
 * The key and the address from the environment. The key may be missing when there is an address, or where the provider
 * takes requests without one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const environment = <Params>(
  profile: Profile<Params>
): Effect.Effect<Pick<Options, "apiKey" | "baseUrl">, Config.ConfigError> =>
  Effect.gen(function* () {
    const { baseUrlVariable, isKeyOptional = false, keyVariable } = profile
    const address = Config.map(Config.withDefault(Config.String(baseUrlVariable), ""), String.trim)
    const baseUrl = yield* profile.baseUrl === "" ? Config.schema(Address, baseUrlVariable) : address
    const key = Config.schema(Key, keyVariable)
    const optionalKey = Config.orElse(key, () => Config.succeed(undefined))
    return { baseUrl, apiKey: yield* baseUrl === "" && !isKeyOptional ? key : optionalKey }
  })

/** Keys are pasted with line ends, and set to the empty text where there is none. */
const Key = Schema.Redacted(Schema.Trim.check(Schema.isNonEmpty()))

const Address = Schema.Trim.check(Schema.isNonEmpty())

const quiet = { logLevel: "off", maxRetries: 0, timeout: 2_147_483_647 } as const

const notInstalled = (name: string, cause: unknown) =>
  new Error(`the package \`${name}\` could not be loaded; is it installed? Run \`npm install ${name}\``, { cause })

/**
 * Options for `fetch`, with which Node waits for as long as our own time-outs say: its default is to give up after five
 * minutes without a header or a piece of the body. What else is set for the whole program (a proxy) stays in force.
 * Other platforms have no such limit and take no notice. Its type is that of no options, as each SDK has one of its own for them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fetchOptions: Record<never, never> = {
  dispatcher: {
    dispatch: (options: object, handler: unknown) =>
      globalDispatcher().dispatch({ ...options, headersTimeout: 0, bodyTimeout: 0 }, handler)
  }
}

/** What `fetch` of Node sends requests with; it is there as soon as a request is made. */
const globalDispatcher = (): { readonly dispatch: (options: object, handler: unknown) => boolean } =>
  Reflect.get(globalThis, Symbol.for(dispatcherName)) ??
  Reflect.get(globalThis, Symbol.for("undici.globalDispatcher.1"))

/**
 * The name under which the undici inside of Node keeps it. A newer copy of undici, which the program may have loaded, keeps
 * another one beside it that does not understand what Node's `fetch` says.
 */
const dispatcherName = `undici.globalDispatcher.${Number.parseInt(globalThis.process?.versions?.undici ?? "0", 10) < 8 ? 1 : 2}`

interface Wrapping extends Options {
  readonly baseUrl: string
  readonly hasKey: boolean
  readonly redact: (text: string) => string
}

const wrap = <Sdk, Params>(sdk: Sdk, profile: Profile<Params>, options: Wrapping): Connection<Sdk, Params> => {
  const { hasKey, redact } = options
  const url = redact(withoutSecrets(options.baseUrl))
  const of = { url, hasKey, redact, now: 0 }
  const failed = (now: number): Failure.Failed => ({ ...of, now })
  const millis = (limit: Duration.Input) => Duration.toMillis(Duration.fromInputUnsafe(limit))
  const start = <A>(request: (sdk: Sdk, signal: AbortSignal) => PromiseLike<A>) =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const now = () => failed(clock.currentTimeMillisUnsafe())
      const { betweenTokens, firstToken } = { ...options, ...(yield* CurrentTimeouts) }
      const limits = { first: millis(firstToken ?? "4 minutes"), between: millis(betweenTokens ?? "2 minutes") }
      const waiting = new Patience(clock, limits, (limit) => silence(limit, url))
      const signal = yield* waiting.start
      const answer = yield* waiting.wait(
        () => request(sdk, signal),
        (error) => Failure.ofRequest(error, now())
      )
      return { answer, waiting, now }
    })
  return {
    profile,
    url,
    server: serverOf(url, profile),
    use: (request) =>
      Effect.scoped(
        Effect.map(start(request), ({ answer, waiting }) => {
          waiting.isOver = true
          return answer
        })
      ),
    open: (request) => Effect.flatMap(start(request), ({ answer, now, waiting }) => incoming(answer, waiting, now)),
    failureOf: (event, body) => Failure.ofEvent(event, body, of),
    redact
  }
}

/** The events of a response; a document in JSON, as of a server that does not stream, is a single one. */
const incoming = (
  { body, headers }: Opened,
  waiting: Patience,
  failed: () => Failure.Failed
): Effect.Effect<Incoming, AiError.AiErrorReason> =>
  Effect.gen(function* () {
    const contentType = headers.get("content-type") ?? ""
    if (/^text\/html\b/i.test(contentType)) return yield* Failure.notAStream(contentType, failed())
    const reasonOf = (error: unknown) => Failure.ofStream(error, failed())
    const text = body === null ? new GivenText("") : new BodyText(body.getReader(), waiting, reasonOf)
    const heard = () => waiting.heard()
    if (!/^application\/json\b/i.test(contentType)) {
      const incomplete = () => Failure.network("TransportError", brokenOff, failed())
      return { ...eventsOf(text), heard, isDocument: false, incomplete }
    }
    let document = ""
    yield* text.read({
      text: (text) => void (document += text),
      end: Effect.void,
      broken: (reason) => Effect.fail(reason)
    })
    const incomplete = () => Failure.notAStream(contentType, failed(), document)
    const given = new GivenText(document)
    // Some streams are called JSON, as their events are.
    if (!/^\s*[[{]/.test(document)) return { ...eventsOf(given), heard, isDocument: false, incomplete }
    const whole = { push: (data: string) => [{ name: "", data }], end: () => [] }
    return { ...eventsOf(given, whole), heard, isDocument: true, incomplete }
  })

const eventsOf = (
  text: Text,
  parser: Pick<ServerSentEvents, "end" | "push"> = new ServerSentEvents()
): Pick<Incoming, "leave" | "read"> => ({
  leave: text.leave,
  read: ({ broken, end, events }) =>
    text.read({
      text: (text) => {
        const pushed = parser.push(text)
        return pushed.length === 0 ? undefined : events(pushed)
      },
      end: Effect.suspend(() => end(parser.end())),
      broken
    })
})

const brokenOff = "the response ended before the model had finished"

/** The mark of a server that is not the provider's own. It does not tell the host, as messages are kept and shown. */
const serverOf = (url: string, profile: { readonly baseUrl: string }): string | undefined => {
  const hostOf = (address: string) => (URL.canParse(address) ? new URL(address).host : address)
  const host = hostOf(url)
  return host === hostOf(profile.baseUrl) ? undefined : bytesToHex(sha256(utf8ToBytes(host))).slice(0, 12)
}

const redactor = (secrets: ReadonlyArray<string>) => {
  const all = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
  const longestFirst = [...new Set(all)].sort((a, b) => b.length - a.length)
  return (text: string): string => longestFirst.reduce((text, secret) => text.replaceAll(secret, "<redacted>"), text)
}

/** What an address may hold that is nobody's business, as it is written, as it is sent, and as it is meant. */
const secretsOf = (address: string): ReadonlyArray<string> => {
  const credentials = credentialsOf(address)
  const [, query = ""] = /\?([^#]*)/.exec(address) ?? []
  const password = credentials.slice(credentials.indexOf(":") + 1)
  const sent = URL.canParse(address) ? new URL(address).password : ""
  const meant = new URLSearchParams(`password=${password}&${query}`).values()
  // What is shorter is found in any text.
  return [credentials, password, sent, query, ...meant].filter((secret) => secret.length >= 6)
}
