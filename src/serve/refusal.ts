/** How a request is refused: one JSON object with a code for programs and a sentence for people. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { RunsError } from "../runs/Runs.ts"

export const refusal = (
  status: number,
  code: string,
  message: string,
  headers: { readonly [name: string]: string } = {}
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.succeed(HttpServerResponse.jsonUnsafe({ error: { code, message } }, { status, headers }))

/** The refusal of an operation on runs. */
export const ofRuns = (error: RunsError): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  switch (error.reason._tag) {
    case "NotFound":
      return refusal(404, "not_found", error.message)
    case "OtherAgent":
      return refusal(409, "other_agent", "The id is that of another run: take another one")
    case "TooMany":
      return refusal(429, "too_many", error.message, { "retry-after": "5" })
    case "InvalidSignal":
      return refusal(400, "invalid_signal", error.message)
  }
}
