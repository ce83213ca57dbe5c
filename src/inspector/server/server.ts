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
import * as eventBody from "../../serve/routes/eventBody.ts"
import * as Guard from "../../serve/Guard.ts"
import * as jsonBody from "../../serve/routes/jsonBody.ts"
import { refusal } from "../../serve/routes/refusal.ts"
import * as Acts from "./actRoutes.ts"
import { empty, headers, json, nothingThere } from "./answers.ts"
import { compare } from "../record/compare.ts"
import { PageView } from "./pageView.ts"
import * as Exports from "../record/exports.ts"
import { aboutOf, type Shelf, type Shown } from "./shown.ts"
import * as Views from "../record/views.ts"
import type { Focus, Update } from "../wire.ts"

/** What the routes serve. */
export interface Served {
  readonly token: Redacted.Redacted
  readonly shelf: Shelf
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
      yield* add("/api/updates", (shown, query) => Effect.succeed(updates(shown, query, views, guard.heartbeats)))
      yield* router.add("POST", "/api/focus", (request) =>
        answer(served, request, () => focus(request, views, guard.bodyTimeout))
      )
      yield* add("/api/at", (shown, query) => told(at(shown, query)))
      yield* add("/api/call", (shown, query) => told(whole(shown, query)))
      yield* add("/api/search", ({ recording }, query) => told(Views.search(recording, query.get("q") ?? "")))
      yield* add("/api/runs", () => Effect.map(served.shelf.list, json))
      yield* add("/api/compare", ({ recording }, query) =>
        Effect.flatMap(served.shelf.find(query.get("with") ?? ""), (other) =>
          other === undefined ? nothingThere : told(compare(recording, other.recording))
        )
      )
      yield* add("/api/export", ({ recording }, query) => Effect.succeed(Exports.response(recording, query)))
      yield* add("/api/agents", Acts.agents)
      yield* add("/api/chat", (shown, query) => Acts.chat(shown, query.get("chat") ?? ""))
      for (const [path, handle] of Object.entries(Acts.posts)) {
        yield* router.add("POST", path as `/${string}`, (request) =>
          answer(served, request, (shown) =>
            Effect.catch(Effect.scoped(handle(shown, request, guard)), (refused) => Effect.succeed(refused))
          )
        )
      }
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
  return Effect.flatMap(served.shelf.find(query.get("run") ?? undefined), (shown) =>
    shown === undefined ? nothingThere : handle(shown, query)
  )
}

const told = (value: unknown): Effect.Effect<Response> => Effect.succeed(json(value))

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
  heartbeats: eventBody.Heartbeats
): Response => {
  const page = query.get("page") ?? ""
  const frames = Stream.unwrap(
    Effect.gen(function* () {
      const news = yield* Queue.sliding<void>(1)
      Queue.offerUnsafe(news, undefined)
      const view = yield* Effect.acquireRelease(
        Effect.sync(
          () =>
            new PageView(shown.recording, clocked(shown), numberOf(query.get("focus")), () =>
              Queue.offerUnsafe(news, undefined)
            )
        ),
        (view) =>
          Effect.sync(() => {
            view.close()
            if (views.get(page) === view) views.delete(page)
          })
      )
      views.set(page, view)
      if (shown.follow !== undefined) yield* Effect.forkScoped(shown.follow)
      return Stream.fromQueue(news).pipe(
        Stream.mapEffect(() => Effect.as(Effect.sleep(pause), `data: ${JSON.stringify(view.update())}\n\n`))
      )
    })
  )
  const body = eventBody.make(frames, { hello: ": miniagents\n\n", alive: ":\n\n", heartbeats })
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
      return Effect.succeed(empty)
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
    { ...clocked(shown), now: () => recording.now },
    numberOf(query.get("focus")),
    () => {}
  )
  return view.update()
}

/** All of a call, as it is now. */
const whole = ({ recording }: Shown, query: URLSearchParams): Focus | null => {
  const call = recording.calls[numberOf(query.get("call")) ?? -1]
  if (call === undefined) return null
  const detail = Views.detail(recording, call)
  const messages = new Set([...detail.sent, ...detail.replied])
  return {
    call: call.id,
    detail,
    messages: [...messages].map((at) => Views.said(recording.messages[at]!, 0)),
    spans: call.spans.map((id) => Views.span(recording.spans[id]!))
  }
}

const clocked = (shown: Shown) => ({ about: () => aboutOf(shown), now: shown.now })
