/**
 * A provider's client as effects: requests that end with their fiber, errors as `AiError` reasons, and time-outs for a
 * server that says nothing. It knows no protocol; an official SDK does the talking.
 *
 * @since 0.1.0
 */
import type * as AiError from "effect/ai/AiError"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as String from "effect/String"
import { credentialsOf, withoutSecrets } from "../../internal/address.ts"
import * as Failure from "./failure.ts"

/**
 * What tells providers of one protocol apart.
 *
 * @since 0.1.0
 * @category models
 */
export interface Profile<in out Params> {
  /** The name in spans (`gen_ai.provider.name`), in errors, and of the metadata on response parts. */
  readonly name: string
  readonly baseUrl: string
  /** The environment variable that `layerConfig` reads the key from. */
  readonly keyVariable: string
  /** The environment variable that `layerConfig` reads another address from. */
  readonly baseUrlVariable: string
  /** The last word on a request, for servers that refuse a parameter or want one more. */
  readonly adapt?: (params: Params) => Params
}

/**
 * Where a client connects to, and how long it waits. Only content counts as an answer: keep-alives do not. A reader
 * that takes its time is not counted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Left out, no key is sent, as servers on one's own machine want it. No environment variable is read for it. */
  readonly apiKey?: Redacted.Redacted | undefined
  readonly baseUrl?: string | undefined
  /** From the request to the first token. 4 minutes by default, as Node's own `fetch` gives up after 5. */
  readonly firstToken?: Duration.Input | undefined
  /** From one token to the next, and to the end. 2 minutes by default. */
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
  /**
   * Any call of the SDK. Pass it the signal, which aborts the request when the effect is interrupted. Ends in a
   * `NetworkError` after `firstToken`.
   */
  readonly use: <A>(
    request: (sdk: Sdk, signal: AbortSignal) => PromiseLike<A>
  ) => Effect.Effect<A, AiError.AiErrorReason>
  /** The events of a streaming call, within the time-outs. Ending it early closes the connection. */
  readonly events: <Event>(
    request: (sdk: Sdk, signal: AbortSignal) => PromiseLike<Opened<Event>>,
    isToken: (event: Event) => boolean
  ) => Stream.Stream<Event, AiError.AiErrorReason>
  /** The error of a connection that gave out. */
  readonly broken: (description: string) => AiError.NetworkError
}

/**
 * What the SDKs give for a streaming call by `withResponse()`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Opened<out Event> {
  readonly data: AsyncIterable<Event>
  readonly response: { readonly headers: Headers }
}

/**
 * What an SDK's client takes beside what is settled here.
 *
 * @since 0.1.0
 * @category models
 */
export type SdkOptions<ClientOptions> = Omit<ClientOptions, keyof Settings> & {
  readonly defaultHeaders?: { readonly [name: string]: string | null } | undefined
}

/**
 * What every SDK's client is made with: it is quiet, and leaves retries and time-outs to its caller. Without a key it
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
    const baseURL = options.options.baseUrl || profile.baseUrl
    const defaultHeaders = { ...(key ? {} : { Authorization: null }), ...options.headers }
    return wrap(options.client(module, { ...quiet, baseURL, apiKey: key || "none", defaultHeaders }), profile, {
      ...options.options,
      baseUrl: baseURL,
      hasKey: Boolean(key),
      redact: redactor([...(key ? [key] : []), ...secretsOf(baseURL)])
    })
  })

/**
 * The key and the address from the environment. The key may be missing when there is an address.
 *
 * @since 0.1.0
 * @category constructors
 */
export const environment = <Params>(
  profile: Profile<Params>
): Effect.Effect<Pick<Options, "apiKey" | "baseUrl">, Config.ConfigError> =>
  Effect.gen(function* () {
    const baseUrl = yield* Config.map(Config.withDefault(Config.String(profile.baseUrlVariable), ""), String.trim)
    const key = Config.schema(Key, profile.keyVariable)
    return { baseUrl, apiKey: yield* baseUrl === "" ? key : Config.orElse(key, () => Config.succeed(undefined)) }
  })

/** Keys are pasted with line ends, and set to the empty text where there is none. */
const Key = Schema.Redacted(Schema.Trim.check(Schema.isNonEmpty()))

const quiet = { logLevel: "off", maxRetries: 0, timeout: 2_147_483_647 } as const

const notInstalled = (name: string, cause: unknown) =>
  new Error(`the package \`${name}\` could not be loaded; is it installed? Run \`npm install ${name}\``, { cause })

interface Wrapping extends Options {
  readonly baseUrl: string
  readonly hasKey: boolean
  readonly redact: (text: string) => string
}

const wrap = <Sdk, Params>(sdk: Sdk, profile: Profile<Params>, options: Wrapping): Connection<Sdk, Params> => {
  const { hasKey, redact } = options
  const firstToken = Duration.fromInputUnsafe(options.firstToken ?? "4 minutes")
  const betweenTokens = Duration.fromInputUnsafe(options.betweenTokens ?? "2 minutes")
  const url = redact(withoutSecrets(options.baseUrl))
  const failed = (now: number): Failure.Failed => ({ url, hasKey, redact, now })
  const limits = { first: Duration.toMillis(firstToken), between: Duration.toMillis(betweenTokens) }
  const patience = (clock: Clock.Clock) => new Patience(clock, limits, failed)
  return {
    profile,
    url,
    use: (request) =>
      Effect.scoped(
        Effect.gen(function* () {
          const waiting = patience(yield* Clock.Clock)
          const signal = yield* waiting.start
          return yield* waiting.wait(() => request(sdk, signal), Failure.ofRequest)
        })
      ),
    events: (request, isToken) =>
      Stream.scoped(
        Stream.fromPull(
          Effect.gen(function* () {
            const waiting = patience(yield* Clock.Clock)
            const signal = yield* waiting.start
            const opened = yield* waiting.wait(() => request(sdk, signal), Failure.ofRequest)
            const contentType = opened.response.headers.get("content-type") ?? ""
            if (isDocument(contentType)) return yield* Failure.notAStream(contentType, failed(0))
            return waiting.pull(opened.data[Symbol.asyncIterator](), isToken)
          })
        )
      ),
    broken: (description) => Failure.network("TransportError", description, failed(0))
  }
}

/** Waits for promises, and loses patience after a while without a token. Time in which nobody waits is not counted. */
class Patience {
  private waited = 0
  private since: number | undefined = undefined
  private giveUp: (() => void) | undefined = undefined
  private readonly clock: Clock.Clock
  private readonly limits: { readonly first: number; readonly between: number }
  private limit: number
  private readonly failed: (now: number) => Failure.Failed

  constructor(clock: Clock.Clock, limits: Patience["limits"], failed: (now: number) => Failure.Failed) {
    this.clock = clock
    this.limits = limits
    this.limit = limits.first
    this.failed = failed
  }

  /** Starts the watch; the signal aborts when the scope closes. */
  get start(): Effect.Effect<AbortSignal, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (controller) => Effect.sync(() => controller.abort())
    ).pipe(
      Effect.map((controller) => controller.signal),
      Effect.tap(Effect.forkScoped(this.watch, { startImmediately: true }))
    )
  }

  wait<A>(
    start: () => PromiseLike<A>,
    reasonOf: (error: unknown, failed: Failure.Failed) => AiError.AiErrorReason
  ): Effect.Effect<A, AiError.AiErrorReason> {
    return Effect.callback((resume) => {
      const settle = (effect: () => Effect.Effect<A, AiError.AiErrorReason>) => {
        if (this.giveUp !== giveUp) return
        this.waited += this.clock.currentTimeMillisUnsafe() - (this.since ?? 0)
        this.since = undefined
        this.giveUp = undefined
        resume(effect())
      }
      const giveUp = () => settle(() => Effect.fail(this.silence))
      this.giveUp = giveUp
      this.since = this.clock.currentTimeMillisUnsafe()
      Promise.resolve()
        .then(start)
        .then(
          (value) => settle(() => Effect.succeed(value)),
          (error: unknown) => settle(() => Effect.fail(reasonOf(error, this.failed(this.now))))
        )
    })
  }

  pull<A>(
    iterator: AsyncIterator<A>,
    isToken: (event: A) => boolean
  ): Pull.Pull<NonEmptyReadonlyArray<A>, AiError.AiErrorReason> {
    return Effect.flatMap(
      this.wait(() => iterator.next(), Failure.ofStream),
      (result) => {
        if (result.done === true) return Cause.done()
        if (isToken(result.value)) {
          this.waited = 0
          this.limit = this.limits.between
        }
        return Effect.succeed([result.value])
      }
    )
  }

  private get now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  private get silence(): AiError.NetworkError {
    const limit = Duration.format(Duration.millis(this.limit))
    return Failure.network("TransportError", `nothing came within ${limit}`, this.failed(this.now))
  }

  private readonly watch: Effect.Effect<void> = Effect.suspend(() => {
    const left = this.limit - this.waited - (this.since === undefined ? 0 : this.now - this.since)
    if (left <= 0 && this.giveUp !== undefined) return Effect.sync(this.giveUp)
    // A token may make the limit shorter meanwhile.
    return Effect.andThen(Effect.sleep(Math.max(Math.min(left, this.limits.between), 1)), this.watch)
  })
}

const isDocument = (contentType: string) => /^(text\/html|application\/json)\b/i.test(contentType)

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
