/** Which calls of tools are open in a run, and which of them a message was said in. */
import type * as Schema from "effect/Schema"
import type * as Transcript from "../../Transcript.ts"

type Origin = typeof Transcript.Origin.Type
type Fields = { readonly [field: string]: Schema.Json }

/** A call whose result has not come. */
export interface Call {
  /** Its id, as long as no other call of the run has it. */
  readonly uid: string
  readonly id: string
  readonly name: string
  /** The path of who called. */
  readonly path: string | undefined
  readonly providerExecuted: boolean
  /** Whoever asked for the run makes the call. */
  readonly clientExecuted: boolean
}

/** The ids of calls and where they were first used: agents inside of a run count theirs for themselves. */
export type Used = Map<string, number>

export const made = (message: Fields, at: number, origin: Origin | undefined, used: Used): Call => {
  const id = String(message.id)
  if (!used.has(id)) used.set(id, at)
  const uid = used.get(id) === at ? id : `${id}~${at}`
  const executed = {
    providerExecuted: message.providerExecuted === true,
    clientExecuted: message.clientExecuted === true
  }
  return { uid, id, name: String(message.name), path: origin?.path, ...executed }
}

/** The ids that were used before a message. */
export const forget = (used: Used, at: number): void => {
  for (const [id, first] of used) if (first >= at) used.delete(id)
}

/** The open call that a result, or a part with its id, belongs to: the last one that fits best. */
export const find = (open: ReadonlyArray<Call>, id: string, name?: Schema.Json, origin?: Origin): Call | undefined => {
  const same = open.filter((call) => call.id === id)
  const fits = (call: Call) => (name === undefined || call.name === name) && call.path === origin?.path
  return same.findLast(fits) ?? same.findLast((call) => call.name === name) ?? same.at(-1)
}

/** The innermost call that a message was said in: one of an agent above the one that said it. */
export const around = (
  open: ReadonlyArray<Call>,
  { known, origin }: { readonly known: Fields; readonly origin: Origin | undefined }
): Call | undefined =>
  known.aside !== true || origin === undefined
    ? undefined
    : open.findLast(
        ({ clientExecuted, path, providerExecuted }) =>
          !clientExecuted && !providerExecuted && origin.path.startsWith(`${path}/`)
      )
