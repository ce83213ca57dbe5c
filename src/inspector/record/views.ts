/** What a page is shown of a recording. */
import type * as Recording from "./recording.ts"
import type { Asked, Detail, Found, Json, ModelUse, Row, Said, Span, Status, Wait } from "../wire.ts"

/** How many messages of an input or of replies a page is given at once. */
const mostMessages = 300

const statusOf = ({ returned, spoken, started }: Recording.Call): Status => {
  const end = returned?.end.is === "ok" ? (spoken?.end.is ?? "ok") : (returned?.end.is ?? "ok")
  if (end !== "ok") return end
  if (returned !== undefined) return spoken === undefined ? "speaking" : "done"
  return started === undefined ? "waiting to start" : "running"
}

/** A call as a row of the table. */
export const row = (recording: Recording.Recording, call: Recording.Call): Row => {
  const { agent, at, chars, failedBelow, id, parent, path, returned, spoken, started, stuck, waitsFor } = call
  const end = returned?.end.is === "failed" ? returned.end : spoken?.end
  return {
    id,
    agent,
    path,
    status: statusOf(call),
    at,
    failedBelow,
    sent: call.sent.length,
    replied: call.replied.length,
    chars,
    models: modelsOf(call.requests.map((request) => recording.requests[request]!)),
    ...(parent === undefined ? {} : { parent }),
    ...(started === undefined ? {} : { started }),
    ...(returned === undefined ? {} : { returned: returned.t }),
    ...(spoken === undefined ? {} : { spoken: spoken.t }),
    ...(end?.is === "failed" ? { failure: `${end.failure.error}: ${end.failure.reason}` } : {}),
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(stuck ? { stuck } : {}),
    ...(call.asks.length > 0 ? { asks: call.asks.length } : {})
  }
}

const modelsOf = (requests: ReadonlyArray<Recording.Request>): ReadonlyArray<ModelUse> => {
  const models = new Map<string, { -readonly [K in keyof ModelUse]: ModelUse[K] }>()
  for (const { answered, cost = 0, model = "", usage = {} } of requests) {
    let use = models.get(model)
    if (use === undefined) {
      use = { model, requests: 0, running: 0, failed: 0, input: 0, output: 0, cached: 0, cost: 0 }
      models.set(model, use)
    }
    use.requests++
    if (answered === undefined) use.running++
    if (answered?.end.is === "failed") use.failed++
    use.input += usage.inputTokens ?? 0
    use.output += usage.outputTokens ?? 0
    use.cached += usage.cacheReadTokens ?? 0
    use.cost += cost
  }
  return [...models.values()]
}

/** A message as it is shown, its text from an offset on. */
export const said = (message: Recording.Message, from: number): Said => {
  const { at, broken, by, ended, failure, keyed, known, opened, readBy, repliedBy, text } = message
  const { content: _, ...fields } = message.message ?? known
  return {
    at,
    opened,
    fields,
    from,
    text: text.slice(from),
    readBy: [...readBy],
    repliedBy: [...repliedBy],
    ...(by === undefined ? {} : { by }),
    ...(ended === undefined ? {} : { ended }),
    ...(keyed === undefined ? {} : { hashKey: keyed.hashKey }),
    ...(failure === undefined ? {} : { failure }),
    ...(broken ? { broken } : {})
  }
}

/** A span as it is shown: the call is known. */
export const span = ({ call: _, ...span }: Recording.Recording["spans"][number]): Span => span

/** All of a call but its messages and spans. */
export const detail = (recording: Recording.Recording, call: Recording.Call): Detail => {
  const { description, id, parameters, replied, returned, sent, spoken } = call
  return {
    id,
    parameters,
    sent: sent.slice(-mostMessages),
    sentBefore: Math.max(0, sent.length - mostMessages),
    replied: replied.slice(-mostMessages),
    repliedBefore: Math.max(0, replied.length - mostMessages),
    asked: call.requests.map((request) => asked(recording.requests[request]!)),
    waits: waitsOf(recording, call),
    kept: call.kept,
    ...(description === undefined ? {} : { description }),
    ...(call.run === undefined ? {} : { run: call.run }),
    ...(returned === undefined ? {} : { returned: returned.end }),
    ...(spoken === undefined ? {} : { spoken: spoken.end })
  }
}

/** What is waited for in a call, or anywhere in the run that it stands for. */
const waitsOf = (recording: Recording.Recording, call: Recording.Call): ReadonlyArray<Wait> => {
  let root = call
  while (root.parent !== undefined) root = recording.calls[root.parent] ?? { ...root, parent: undefined }
  return root === call ? call.asks : root.asks.filter(({ path }) => path === call.path)
}

const asked = (request: Recording.Request): Asked => {
  const { answered, at, cost, format, id, model, prompt, reason, response, reused, step, tools, usage } = request
  return {
    request: id,
    step,
    format,
    at,
    tools,
    prompt,
    lost: request.lost.map(({ error, event, reason, what }) => ({ event, what, error, reason })),
    ...(model === undefined ? {} : { model }),
    ...(answered === undefined ? {} : { answered: answered.t, end: answered.end }),
    ...(usage === undefined ? {} : { usage }),
    ...(reason === undefined ? {} : { reason }),
    ...(response.length === 0 ? {} : { response }),
    ...(reused ? { reused } : {}),
    ...(cost === undefined ? {} : { cost })
  }
}

/** Where a text stands, whatever its case: in what was said, and then in all else; the first places, up to a number. */
export const search = (recording: Recording.Recording, query: string, most = 200): ReadonlyArray<Found> => {
  const found: Array<Found> = []
  const wanted = query.toLowerCase()
  if (wanted === "") return found
  const look = (text: string, place: Pick<Found, "call" | "message" | "where">) => {
    const index = found.length < most ? text.toLowerCase().indexOf(wanted) : -1
    if (index < 0) return
    const end = index + wanted.length
    found.push({
      ...place,
      before: text.slice(Math.max(0, index - 40), index),
      match: text.slice(index, end),
      after: text.slice(end, end + 80)
    })
  }
  for (const message of recording.messages) {
    if (message === undefined) continue
    const call = message.by ?? message.readBy[0] ?? message.repliedBy[0]
    if (call !== undefined) look(textOf(message), { call, message: message.at, where: "said" })
  }
  for (const call of recording.calls) {
    if (call === undefined) continue
    if (JSON.stringify(call.parameters) !== "{}")
      look(JSON.stringify(call.parameters), { call: call.id, where: "parameters" })
    const end = call.returned?.end
    if (end?.is === "failed") look(`${end.failure.error}: ${end.failure.reason}`, { call: call.id, where: "failure" })
  }
  for (const { call, prompt } of recording.requests) {
    for (const text of prompt.map(textOfPrompt)) look(text, { call, where: "prompt" })
  }
  return found
}

/** What a message of a prompt says. */
const textOfPrompt = (message: Json): string => {
  const { content } = message as { readonly content: Json }
  const parts = Array.isArray(content) ? (content as ReadonlyArray<Json>) : [{ text: content }]
  return parts.map((part) => (part as { readonly text?: string }).text ?? JSON.stringify(part)).join("\n")
}

/** What a message says: its text, or its fields where it has none. */
const textOf = ({ known, message, text }: Recording.Message): string =>
  text === "" ? JSON.stringify(message ?? known) : text
