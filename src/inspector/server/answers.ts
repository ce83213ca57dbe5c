/** The answers of the server, with the headers that all of them have. */
import type * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { refusal } from "../../serve/routes/refusal.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Nothing of a program is to be kept by a browser, taken for anything else, or shown inside of another page. */
export const headers = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
} as const

export const json = (value: unknown): Response => HttpServerResponse.jsonUnsafe(value, { headers })

export const empty: Response = HttpServerResponse.empty({ status: 204, headers })

export const nothingThere: Effect.Effect<Response> = refusal(404, "not_found", "There is nothing of that name")
