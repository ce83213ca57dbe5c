/** How a request is refused: one JSON object with a code for programs and a sentence for people. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { RunsError } from "../../runs/Runs.ts"

type Response = HttpServerResponse.HttpServerResponse

/** How a protocol says that it refuses a request, and why. */
export type Refuse = (
  status: number,
  code: string,
  message: string,
  headers?: { readonly [name: string]: string }
) => Effect.Effect<Response>

/** As `Native` says it, and whatever is refused before it is known which protocol it is. */
export const refusal: Refuse = (status, code, message, headers = {}) =>
  Effect.succeed(HttpServerResponse.jsonUnsafe({ error: { code, message } }, { status, headers }))

/** The refusal of an operation on runs. */
export const ofRuns = (error: RunsError, refuse: Refuse = refusal): Effect.Effect<Response> => {
  switch (error.reason._tag) {
    case "NotFound":
      return refuse(404, "not_found", error.message)
    case "OtherAgent":
      return refuse(409, "other_agent", "The id is that of another run: take another one")
    case "TooMany":
      return refuse(429, "too_many", error.message, { "retry-after": "5" })
    case "InvalidSignal":
      return refuse(400, "invalid_signal", error.message)
    case "NotEnded":
      return refuse(409, "not_ended", error.message)
    case "Unavailable":
      return refuse(503, "unavailable", "What keeps the runs does not answer: try again", { "retry-after": "5" })
  }
}
