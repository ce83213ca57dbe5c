/** The routes of the inspector: the page, and what the page asks for. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { sameSecret } from "../../internal/sameSecret.ts"
import * as eventBody from "../../serve/eventBody.ts"
import * as Guard from "../../serve/Guard.ts"
import * as jsonBody from "../../serve/jsonBody.ts"
import { refusal } from "../../serve/refusal.ts"
import { compare } from "../record/compare.ts"
import { PageView } from "./pageView.ts"
import * as Exports from "../record/exports.ts"
import type { Recording } from "../record/recording.ts"
import * as Views from "../record/views.ts"
import type { About, Update } from "../wire.ts"

/** A recording that can be looked at. */
export interface Shown {
  readonly about: () => About
  readonly recording: Recording
  /** The time of the recording, in milliseconds since it began. */
  readonly now: () => number
}

/** What the routes serve. */
export interface Served {
  readonly token: Redacted.Redacted
  readonly shown: ReadonlyArray<Shown>
  /** The files of the page; fails where it was not built. */
  readonly asset: (name: string) => Effect.Effect<Uint8Array, unknown>
}

type Response = HttpServerResponse.HttpServerResponse
type Request = HttpServerRequest.HttpServerRequest

/** Adds the routes to a router. */
export const layer = (served: Served): Layer.Layer<never, never, HttpRouter.HttpRouter | Guard.Guard> =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const guard = yield* Guard.Guard
      yield* guard.install(router)
      yield* router.add("GET", "/", (request) =>
        allowed(served, urlOf(request).searchParams.get("token"))
          ? Effect.succeed(page)
          : refusal(401, "unauthorized", "Open the address that the program printed, with its token")
      )
      yield* router.add("GET", "/page.js", () => asset(served, "page.js", "text/javascript; charset=utf-8"))
      yield* router.add("GET", "/page.css", () => asset(served, "page.css", "text/css; charset=utf-8"))
      const views = new Map<string, PageView>()
      const add = (path: `/${string}`, handle: (shown: Shown, query: URLSearchParams) => Effect.Effect<Response>) =>
        router.add("GET", path, (request) => answer(served, request, handle))
      yield* add("/api/updates", (shown, query) => Effect.succeed(updates(shown, query, views, guard.heartbeat)))
      yield* router.add("POST", "/api/focus", (request) =>
        answer(served, request, () => focus(request, views, guard.bodyTimeout))
      )
      yield* add("/api/at", (shown, query) => json(at(shown, query)))
      yield* add("/api/search", ({ recording }, query) => json(Views.search(recording, query.get("q") ?? "")))
      yield* add("/api/runs", () => json(served.shown.map(({ about }) => about())))
      yield* add("/api/compare", ({ recording }, query) => {
        const other = served.shown.find(({ about }) => about().id === query.get("with"))
        return other === undefined ? nothingThere : json(compare(recording, other.recording))
      })
      yield* add("/api/export", ({ recording }, query) => Effect.succeed(Exports.response(recording, query)))
    })
  )

const allowed = ({ token }: Served, given: string | null): boolean =>
  given !== null && sameSecret(given, Redacted.value(token))

const urlOf = (request: Request): URL => new URL(request.url, "http://localhost")

const answer = (
  served: Served,
  request: Request,
  handle: (shown: Shown, query: URLSearchParams) => Effect.Effect<Response>
): Effect.Effect<Response> => {
  const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1] ?? null
  if (!allowed(served, given)) return refusal(401, "unauthorized", "A bearer token is needed")
  const query = urlOf(request).searchParams
  const run = query.get("run")
  const shown = run === null ? served.shown[0] : served.shown.find(({ about }) => about().id === run)
  return shown === undefined ? nothingThere : handle(shown, query)
}

const nothingThere = refusal(404, "not_found", "There is no such recording")

const json = (value: unknown): Effect.Effect<Response> =>
  Effect.succeed(HttpServerResponse.jsonUnsafe(value, { headers }))

/** Nothing of a program is to be kept by a browser, taken for anything else, or shown inside of another page. */
const headers = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
} as const

const page = HttpServerResponse.text(
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>miniagents inspector</title>
<link rel="stylesheet" href="/page.css">
<script type="module" src="/page.js"></script>
</head>
<body><noscript>The inspector needs JavaScript.</noscript></body>
</html>
`,
  { contentType: "text/html; charset=utf-8", headers }
)

const asset = (served: Served, name: string, contentType: string): Effect.Effect<Response> =>
  served.asset(name).pipe(
    Effect.map((bytes) => HttpServerResponse.uint8Array(bytes, { contentType, headers })),
    Effect.catch(() => refusal(404, "not_built", "The page is not built: run `npm run build`"))
  )

const numberOf = (text: string | null): number | undefined =>
  text === null || !/^\d+$/.test(text) ? undefined : Number(text)

/** All there is, and then what changes, as long as the page is there. */
const updates = (
  shown: Shown,
  query: URLSearchParams,
  views: Map<string, PageView>,
  heartbeat: Duration.Duration
): Response => {
  const page = query.get("page") ?? ""
  const frames = Stream.unwrap(
    Effect.gen(function* () {
      const news = yield* Queue.sliding<void>(1)
      Queue.offerUnsafe(news, undefined)
      const view = yield* Effect.acquireRelease(
        Effect.sync(
          () =>
            new PageView(shown.recording, shown, numberOf(query.get("focus")), () => Queue.offerUnsafe(news, undefined))
        ),
        (view) =>
          Effect.sync(() => {
            view.close()
            if (views.get(page) === view) views.delete(page)
          })
      )
      views.set(page, view)
      return Stream.fromQueue(news).pipe(
        Stream.mapEffect(() => Effect.as(Effect.sleep(pause), `data: ${JSON.stringify(view.update())}\n\n`))
      )
    })
  )
  const body = eventBody.make(frames, { hello: ": miniagents\n\n", alive: ":\n\n", heartbeat })
  return HttpServerResponse.stream(body, {
    contentType: "text/event-stream",
    headers: { ...headers, ...eventBody.headers }
  })
}

/** Lets a page look at another call. */
const focus = (
  request: Request,
  views: ReadonlyMap<string, PageView>,
  timeout: Duration.Duration
): Effect.Effect<Response> =>
  Effect.scoped(jsonBody.read(request, timeout)).pipe(
    Effect.flatMap((body) => {
      const { call, page } = body as { readonly page?: Schema.Json; readonly call?: Schema.Json }
      const view = typeof page === "string" ? views.get(page) : undefined
      if (view === undefined) return refusal(404, "not_found", "There is no such page")
      view.look(typeof call === "number" ? call : undefined)
      return Effect.succeed(HttpServerResponse.empty({ status: 204, headers }))
    }),
    Effect.catch((refused) => Effect.succeed(refused))
  )

/** Changes that come together are told together. */
const pause = "30 millis"

/** Everything as it was at a time. */
const at = (shown: Shown, query: URLSearchParams): Update => {
  const recording = shown.recording.at(numberOf(query.get("t")) ?? 0)
  const view = new PageView(
    recording,
    { about: shown.about, now: () => recording.now },
    numberOf(query.get("focus")),
    () => {}
  )
  return view.update()
}
