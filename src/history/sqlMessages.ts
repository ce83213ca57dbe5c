/**
 * Messages in a table, each once, under its hash key: `body` is the canonical JSON of `Message.serialize`, the sha256 of
 * which is the key. Messages inside of a message are rows of their own, and the body refers to them by their keys.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Json from "../internal/json.ts"
import * as References from "../internal/references.ts"
import * as Message from "../Message.ts"

/** A row of the table. */
export interface Row {
  readonly hash_key: string
  readonly body: string
}

/** A row that is no message of the classes that are known. */
export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", {
  hashKey: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `the message \`${this.hashKey}\` ${this.reason}`
  }
}

/** Rows in one statement: SQLite and Postgres take more parameters than this needs. */
const ROWS_AT_ONCE = 1_000

/** Keeps a message and the ones inside of it, unless they are there. */
export const insert = (
  sql: SqlClient.SqlClient,
  table: string,
  message: Message.Message
): Effect.Effect<void, SqlError> => {
  const rows = new Map([...Message.nested(message), message].map((each) => [each.hashKey, rowOf(each)]))
  // always in the same order, or two that insert the same messages at once could wait for each other
  const sorted = [...rows.values()].sort((a, b) => (a.hash_key < b.hash_key ? -1 : 1))
  return Effect.forEach(
    Arr.chunksOf(sorted, ROWS_AT_ONCE),
    (chunk) => sql`INSERT INTO ${sql(table)} ${sql.insert(chunk)} ON CONFLICT (hash_key) DO NOTHING`,
    { discard: true }
  )
}

const rowOf = (message: Message.Message) => ({
  hash_key: message.hashKey,
  body: Json.canonical(Message.serialize(message))
})

/** The messages of these rows, the ones inside of them fetched, too. */
export const decode = (
  sql: SqlClient.SqlClient,
  table: string,
  codec: Schema.Codec<Message.Message, Schema.Json>,
  rows: ReadonlyArray<Row>
): Effect.Effect<ReadonlyArray<Message.Message>, SqlError | Unreadable> =>
  Effect.gen(function* () {
    const bodies = new Map<string, Schema.Json>()
    let wanted = take(bodies, rows)
    while (wanted.length > 0) {
      const found = yield* Effect.forEach(
        Arr.chunksOf(wanted, ROWS_AT_ONCE),
        (keys) => sql<Row>`SELECT hash_key, body FROM ${sql(table)} WHERE hash_key IN ${sql.in(keys)}`
      )
      const missing = wanted.length - found.flat().length
      if (missing > 0)
        return yield* Effect.die(new Error(`${missing} messages inside of others are not in \`${table}\``))
      wanted = take(bodies, found.flat())
    }
    const whole = new Map<string, Schema.Json>()
    const messages = new Map<string, Message.Message>()
    for (const { hash_key: key } of rows) {
      if (messages.has(key)) continue
      const decoded = Schema.decodeExit(codec)(resolve(key, bodies, whole))
      if (Exit.isFailure(decoded)) return yield* unreadable(key, bodies.get(key), decoded)
      messages.set(key, decoded.value)
    }
    return rows.map(({ hash_key: key }) => messages.get(key)!)
  })

/** Takes the bodies of rows, and gives the keys that they refer to and that were not taken yet. */
const take = (bodies: Map<string, Schema.Json>, rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  for (const { body, hash_key: key } of rows) if (!bodies.has(key)) bodies.set(key, JSON.parse(body) as Schema.Json)
  const wanted = new Set<string>()
  for (const { hash_key: key } of rows) {
    const want = (key: string) => {
      if (!bodies.has(key)) wanted.add(key)
      return null
    }
    References.read(bodies.get(key)!, { message: want, page: (key) => (want(key), []) })
  }
  return [...wanted]
}

/** The JSON of a message with the ones inside of it in their places, as `Message.codec` takes it. */
const resolve = (
  key: string,
  bodies: ReadonlyMap<string, Schema.Json>,
  whole: Map<string, Schema.Json>
): Schema.Json => {
  let json = whole.get(key)
  if (json === undefined) {
    const message = (key: string) => resolve(key, bodies, whole)
    const page = (key: string) => {
      const items: Array<ReadonlyArray<string>> = []
      for (let next: string | undefined = key; next !== undefined;) {
        const { before__hash_key: before, items__hash_keys: keys } = bodies.get(next) as never
        items.push(keys)
        next = before
      }
      return items.reverse().flat()
    }
    whole.set(key, (json = References.read(bodies.get(key)!, { message, page })))
  }
  return json
}

const unreadable = (hashKey: string, body: Schema.Json | undefined, decoded: Exit.Failure<unknown, unknown>) => {
  const tag = String((body as Schema.JsonObject | undefined)?._tag)
  const reason = `of the class \`${tag}\` cannot be decoded: give that class, as it was, among \`classes\` (${decoded.cause})`
  return new Unreadable({ hashKey, reason })
}
