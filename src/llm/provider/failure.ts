/**
 * What a failed request means: one table from an HTTP status or the name of an error to the reason of an `AiError`,
 * for every provider. It reads the errors of the official SDKs by their shape, which is the same for all of them.
 *
 * @since 0.1.0
 */
import * as AiError from "effect/ai/AiError"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/**
 * The request that failed, as far as an error may tell.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failed {
  /** The address, without credentials and query. */
  readonly url: string
  /** Whether a key was sent: without one, a refusal means that it is missing. */
  readonly hasKey: boolean
  /** Takes the key out of a text. */
  readonly redact: (text: string) => string
  /** Milliseconds since 1970, to which a `Retry-After` date is relative. */
  readonly now: number
}

/** Not an HTTP status: a refusal for what was said, which providers send as 400. */
const contentPolicy = -1

/** Names of errors, as providers send them in bodies and in the middle of streams, by the status they stand for. */
const statuses: { readonly [name: string]: number } = {
  invalid_request_error: 400,
  context_length_exceeded: 400,
  authentication_error: 401,
  invalid_api_key: 401,
  billing_error: 402,
  insufficient_quota: 402,
  permission_error: 403,
  model_not_found: 404,
  not_found_error: 404,
  request_too_large: 413,
  content_filter: contentPolicy,
  content_policy_violation: contentPolicy,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  tokens: 429,
  requests: 429,
  api_error: 500,
  server_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
  // Google's
  invalid_argument: 400,
  failed_precondition: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  resource_exhausted: 429,
  unavailable: 503,
  deadline_exceeded: 504
}

/** The table. A status that is not here is unknown, or an internal error of the provider from 500 on. */
const reasonOf = (status: number, details: Details): AiError.AiErrorReason => {
  const { description, http, retryAfter } = details
  switch (status) {
    case contentPolicy:
      return new AiError.ContentPolicyError({ description, http })
    case 400:
    case 404:
    case 405:
    case 413:
    case 415:
    case 422:
      return new AiError.InvalidRequestError({ description, http })
    case 401:
      return new AiError.AuthenticationError({ kind: details.hasKey ? "InvalidKey" : "MissingKey", description, http })
    case 402:
      return new AiError.QuotaExhaustedError({ http })
    case 403:
      return new AiError.AuthenticationError({ kind: "InsufficientPermissions", description, http })
    case 429:
      return new AiError.RateLimitError({ http, ...(retryAfter === undefined ? {} : { retryAfter }) })
    // A timeout or a conflict on the provider's side: the same request can succeed later.
    case 408:
    case 409:
      return new AiError.InternalProviderError({ description, http })
    default:
      return status >= 500
        ? new AiError.InternalProviderError({ description, http })
        : new AiError.UnknownError({ description, http })
  }
}

interface Details {
  readonly description: string
  readonly http: typeof AiError.HttpContext.Type
  readonly retryAfter: Duration.Duration | undefined
  readonly hasKey: boolean
}

/**
 * The reason why a request ended with this error before its response began.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofRequest = (error: unknown, failed: Failed): AiError.AiErrorReason => {
  if (!isApiError(error)) {
    if (!(error instanceof TypeError)) return new AiError.UnknownError({ description: describe(error, failed) })
    const isUrl = Predicate.hasProperty(error, "code") && error.code === "ERR_INVALID_URL"
    return network(isUrl ? "InvalidUrlError" : "EncodeError", describe(error, failed), failed)
  }
  if (error.headers !== undefined) return ofApi(error, failed)
  return network("TransportError", describe(rootCause(error), failed), failed)
}

/**
 * The reason why a response that had begun ended with this error.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofStream = (error: unknown, failed: Failed): AiError.AiErrorReason => {
  if (isApiError(error) && error.headers !== undefined) return ofApi(error, failed)
  if (error instanceof SyntaxError) {
    return new AiError.InvalidResponseError({ description: describe(error, failed) })
  }
  return network("TransportError", describe(rootCause(error), failed), failed)
}

/**
 * Something went wrong on the way, rather than at the provider.
 *
 * @since 0.1.0
 * @category constructors
 */
export const network = (
  reason: AiError.NetworkError["reason"],
  description: string,
  failed: Failed
): AiError.NetworkError =>
  new AiError.NetworkError({ reason, method: "POST", url: failed.redact(failed.url), description })

/**
 * The response is not a stream of events but a page or a document.
 *
 * @since 0.1.0
 * @category constructors
 */
export const notAStream = (contentType: string, failed: Failed, document = ""): AiError.InvalidResponseError => {
  const expected = `expected \`text/event-stream\` from ${failed.redact(failed.url)}, got \`${failed.redact(contentType)}\``
  return new AiError.InvalidResponseError({
    description: document === "" ? expected : `${expected}: ${describe(document, failed)}`
  })
}

/**
 * The error that an event of a response tells of, whatever its shape: named `error`, or with a field `error`, or with
 * nothing but words of an error where there should be content. Also in the middle of a stream, and also under status
 * 200, there may be one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofEvent = (name: string, body: unknown, failed: Failed): AiError.AiErrorReason | undefined => {
  if (name !== "error" && !isError(body)) return undefined
  return ofBody(body, { status: undefined, headers: undefined }, failed)
}

/** Events that bring something have one of these. */
const isOfProtocol = (body: object) => "choices" in body || "type" in body || "usage" in body || "response" in body

const isError = (body: unknown): boolean => {
  if (Array.isArray(body)) return body.length > 0 && isError(body[0])
  if (!Predicate.isObject(body)) return false
  if ("error" in body && body.error) return true
  if ("object" in body && body.object === "error") return true
  if ("type" in body && (body.type === "error" || body.type === "response.failed")) return true
  return !isOfProtocol(body) && wordsOf(body) !== undefined
}

/** The errors that both SDKs throw for an answer of the server, and (without headers) for having none. */
interface ApiError extends Error {
  readonly status: number | undefined
  readonly headers: Headers | undefined
  readonly error: unknown
}

const isApiError = (error: unknown): error is ApiError =>
  error instanceof Error && "status" in error && "headers" in error && "requestID" in error

const ofApi = (error: ApiError, failed: Failed): AiError.AiErrorReason =>
  ofBody(error.error, error, failed, error.message)

/** How an error came: its status and headers, if it is the whole response, and none in the middle of one. */
interface Came {
  readonly status: number | undefined
  readonly headers: Headers | undefined
}

const ofBody = (body: unknown, came: Came, failed: Failed, otherwise?: string): AiError.AiErrorReason => {
  const { code, status: word, type } = insideOf(body)
  const named = [code, type, word].flatMap((name) => statuses[String(name).toLowerCase()] ?? [])
  const { headers, status } = came
  return reasonOf(
    // A quota that is used up and a refused text come with the statuses of other errors.
    named.find((status) => status === 402 || status === contentPolicy) ??
      status ??
      named[0] ??
      statusIn(code) ??
      statusIn(word) ??
      500,
    {
      description: describe(wordsOf(body) ?? otherwise ?? textOf(body), failed),
      http: httpContext(body, came, failed),
      retryAfter: headers && retryAfterOf(headers, failed.now),
      hasKey: failed.hasKey
    }
  )
}

/** In the middle of a stream some providers send a status as the code, as a number or as text. */
const statusIn = (code: unknown): number | undefined => (/^[45]\d\d$/.test(String(code)) ? Number(code) : undefined)

interface Body {
  readonly code?: unknown
  readonly message?: unknown
  readonly status?: unknown
  readonly type?: unknown
}

/** OpenAI's SDK gives the inside of `{ error }`, Anthropic's the whole, and Gemini has it in a list. */
const insideOf = (body: unknown): Body => {
  if (Array.isArray(body)) return insideOf(body[0])
  if (!Predicate.isObject(body)) return {}
  if (Predicate.hasProperty(body, "response")) return insideOf(body.response)
  return Predicate.hasProperty(body, "error") && Predicate.isObject(body.error) ? (body.error as Body) : (body as Body)
}

/** Where servers put what they have to say about an error: for people. */
const wordsIn = ["message", "error", "detail", "errors", "msg", "error_msg", "error_description"] as const

const wordsOf = (body: unknown): string | undefined => {
  if (typeof body === "string") return body.trim() === "" ? undefined : body
  if (Array.isArray(body)) return wordsOf(body[0])
  if (!Predicate.isObject(body)) return undefined
  const inside = insideOf(body)
  for (const name of wordsIn) {
    const words = wordsOf(Predicate.hasProperty(inside, name) ? inside[name] : undefined)
    if (words !== undefined) return words
  }
  return undefined
}

const textOf = (body: unknown): string => (typeof body === "string" ? body : (JSON.stringify(body) ?? ""))

const rootCause = (error: unknown): unknown => {
  let root = error
  while (root instanceof Error && root.cause instanceof Error) root = root.cause
  return root
}

const describe = (error: unknown, failed: Failed): string => {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return shorten(failed.redact(text.trim()), 300)
}

const shorten = (text: string, limit: number) => (text.length > limit ? `${text.slice(0, limit)}…` : text)

/** Headers that help to understand an error; the others may hold what is nobody's business. */
const isTelling = (name: string) => /^(content-type|retry-after.*|(x-)?request-id|.*ratelimit.*)$/.test(name)

const httpContext = (body: unknown, came: Came, failed: Failed): typeof AiError.HttpContext.Type => {
  const headers = [...(came.headers ?? [])]
    .filter(([name]) => isTelling(name))
    .map(([name, value]) => [name, failed.redact(value)] as const)
  return {
    ...(came.status === undefined ? {} : { response: { status: came.status, headers: Object.fromEntries(headers) } }),
    ...(body === undefined ? {} : { body: shorten(failed.redact(JSON.stringify(body)), 2_000) })
  }
}

/** RFC 9110, 10.2.3: seconds or a date; and OpenAI's own header in milliseconds. */
const retryAfterOf = (headers: Headers, now: number): Duration.Duration | undefined => {
  const milliseconds = Number(headers.get("retry-after-ms") ?? Number.NaN)
  if (milliseconds >= 0) return Duration.millis(milliseconds)
  const value = headers.get("retry-after")
  if (value === null) return undefined
  const seconds = Number(value)
  if (seconds >= 0) return Duration.seconds(seconds)
  return DateTime.make(value).pipe(
    Option.map((date) => Duration.millis(Math.max(0, date.epochMilliseconds - now))),
    Option.getOrUndefined
  )
}
