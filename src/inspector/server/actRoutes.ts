/** The routes by which a page does something. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import { describe, fieldIssues } from "../../internal/fieldIssues.ts"
import type * as Guard from "../../serve/Guard.ts"
import { refusal } from "../../serve/routes/refusal.ts"
import { badRequest, bodyOf, type Request } from "../../serve/routes/server.ts"
import { empty, json, nothingThere } from "./answers.ts"
import type { Shown } from "./shown.ts"

type Response = HttpServerResponse.HttpServerResponse
type Doing = Effect.Effect<Response, Response, Scope.Scope>

/** Does something with what is shown, as the body of the request says. */
export type Handle = (shown: Shown, request: Request, guard: Guard.Service) => Doing

const ToSay = Schema.Struct({
  chat: Schema.String,
  agent: Schema.String,
  text: Schema.String,
  keep: Schema.Int,
  parameters: Schema.Json
})
const ToAnswer = Schema.Struct({ call: Schema.Int, name: Schema.String, value: Schema.Json })
const ToRerun = Schema.Struct({
  call: Schema.Int,
  texts: Schema.Array(Schema.Struct({ at: Schema.Int, text: Schema.String })),
  parameters: Schema.optionalKey(Schema.Json)
})
const ToFork = Schema.Struct({ at: Schema.Int, as: Schema.NonEmptyString })
const ToStop = Schema.Struct({ call: Schema.Int })

/** Reads what is to be done, does it, and says what came of it. */
const act = <A, B>(
  schema: Schema.Codec<A, unknown>,
  acts: (shown: Shown) => ((given: A) => Effect.Effect<B, string>) | undefined,
  answer: (made: B) => Response
): Handle => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (shown, request, guard) =>
    Effect.gen(function* () {
      const body = yield* bodyOf(request, guard)
      const given = yield* Effect.catch(decode(body), ({ issue }) =>
        badRequest(fieldIssues(issue, body).map(describe).join("; "))
      )
      const does = acts(shown)
      if (does === undefined) return yield* refusal(404, "not_found", "That cannot be done here")
      return yield* does(given).pipe(
        Effect.map(answer),
        Effect.catch((sentence) => refusal(409, "refused", sentence))
      )
    })
}

export const posts: Readonly<Record<`/api/${string}`, Handle>> = {
  "/api/say": act(
    ToSay,
    ({ acts }) => acts?.chat?.say,
    (call) => json({ call })
  ),
  "/api/answer": act(
    ToAnswer,
    ({ acts }) => acts?.answer,
    () => empty
  ),
  "/api/rerun": act(
    ToRerun,
    ({ acts }) => acts?.rerun,
    (run) => json({ run })
  ),
  "/api/fork": act(
    ToFork,
    ({ acts }) => acts?.fork,
    (run) => json({ run })
  ),
  "/api/stop": act(
    ToStop,
    ({ acts }) => acts?.stop && (({ call }) => acts.stop!(call)),
    () => empty
  )
}

/** The agents that can be talked with. */
export const agents = ({ acts }: Shown): Effect.Effect<Response> =>
  Effect.map(acts?.chat?.agents ?? Effect.succeed([]), json)

export const chat = ({ acts }: Shown, id: string): Effect.Effect<Response> => {
  const found = acts?.chat?.get(id)
  return found === undefined ? nothingThere : Effect.succeed(json(found))
}
