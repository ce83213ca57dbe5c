/**
 * The clients of S16, in a process of their own so that their work is not counted. They open streams of server-sent
 * events, read them to their end or hold them open, and check what comes.
 */
import { once } from "node:events"
import * as http from "node:http"
import type { Asked } from "./Readers.ts"
import * as Tokens from "../Tokens.ts"

const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity })

let requests = 0

const open = ({ body, url }: Asked): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" }
    const request = http.request(url, { method: body === undefined ? "GET" : "POST", agent, headers }, (response) =>
      response.statusCode === 200 ? resolve(response) : reject(new Error(`the server says ${response.statusCode}`))
    )
    request.on("error", reject)
    request.end(body === undefined ? undefined : JSON.stringify(body).replaceAll("$n", String(++requests)))
  })

/** Reads a stream to its end; gives when its first token came. */
const read = async (asked: Asked): Promise<number> => {
  const tally = new Tokens.Tally(asked.tokens)
  const start = performance.now()
  let first: number | undefined
  let rest = ""
  let text = ""
  const response = await open(asked)
  for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
    const blocks = (rest + chunk).split("\n\n")
    rest = blocks.pop()!
    for (const block of blocks) {
      const data = /^data: (\{.*)$/m.exec(block)?.[1]
      if (data === undefined) continue
      const said = textIn(JSON.parse(data), asked.text)
      if (said === undefined) continue
      first ??= performance.now() - start
      // what came late comes together
      text += said
    }
    const end = text.lastIndexOf(" ") + 1
    tally.seeAll(text.slice(0, end).match(/[^ ]+ /g) ?? [])
    text = text.slice(end)
  }
  tally.end()
  return first ?? Infinity
}

/** The field of that name that is a text, wherever it stands. */
const textIn = (json: unknown, name: string): string | undefined => {
  if (typeof json !== "object" || json === null) return undefined
  for (const [key, value] of Object.entries(json)) {
    if (key === name && typeof value === "string") return value
    const inside = textIn(value, name)
    if (inside !== undefined) return inside
  }
  return undefined
}

/** Opens streams and has the first bytes of each; of those that are not to be read nothing more. */
const hold = async (asked: Asked): Promise<Array<http.IncomingMessage>> => {
  const held: Array<http.IncomingMessage> = []
  for (let i = 0; i < asked.streams; i += 100) {
    const some = await Promise.all(Array.from({ length: Math.min(100, asked.streams - i) }, () => open(asked)))
    await Promise.all(
      some.map(async (response) => {
        if (asked.how === "hold") await once(response.resume(), "data")
        else response.pause()
      })
    )
    held.push(...some)
  }
  return held
}

const held: Array<http.IncomingMessage> = []

const all = async (asked: Asked): Promise<ReadonlyArray<number>> => {
  const firsts: Array<number> = []
  switch (asked.how) {
    case "at once":
      return Promise.all(Array.from({ length: asked.streams }, () => read(asked)))
    case "in turn":
      for (let i = 0; i < asked.streams; i++) firsts.push(await read(asked))
      return firsts
    case "leave":
      for (const response of held.splice(0)) response.destroy()
      return []
    default:
      held.push(...(await hold(asked)))
      return []
  }
}

process.on("message", (asked: Asked) => {
  all(asked).then(
    (firsts) => process.send!({ firsts }),
    (error: Error) => process.send!({ error: error.message })
  )
})
process.on("disconnect", () => process.exit(0))
