/** Messages as rows: written to bodies and pages, and read back from them, every row checked against its key. */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import * as Json from "../internal/json.ts"
import * as Message from "../Message.ts"
import * as Pages from "./pages.ts"
import * as Reader from "./reader.ts"
import * as References from "./references.ts"
import { Damage } from "./storeError.ts"
import { ROWS_AT_ONCE, type ObjectRow, type Tables } from "./tables.ts"

/** A string whose JSON has as many characters is an object of its own: an image, a file, a page of the web. */
const LARGE = 32_768

/** The rows that messages become. */
export interface Rows {
  readonly objects: ReadonlyArray<ObjectRow>
  readonly pages: ReadonlyArray<Pages.Page>
}

/**
 * The rows of messages, of the ones inside of them, and of the pages of their lists; but for those that are known to be
 * there, with all that they hold.
 */
export const write = (messages: Iterable<Message.Message>, isKnown: (key: string) => boolean): Rows => {
  const objects = new Map<string, ObjectRow>()
  const pages = new Map<string, Pages.Page>()
  const leaveOut = ({ hashKey }: Message.Message) => objects.has(hashKey) || pages.has(hashKey) || isKnown(hashKey)
  for (const given of messages) {
    if (leaveOut(given)) continue
    for (const message of Message.nestedBut(given, leaveOut)) writeOne(message, objects, pages)
    writeOne(given, objects, pages)
  }
  return { objects: [...objects.values()], pages: [...pages.values()] }
}

const writeOne = (message: Message.Message, objects: Map<string, ObjectRow>, pages: Map<string, Pages.Page>): void => {
  const { _tag: tag, hashKey: key } = message
  if (objects.has(key) || pages.has(key)) return
  const page = message instanceof Message.Page ? pageOf(message) : undefined
  if (page !== undefined) return void pages.set(key, page)
  const json = Message.serialize(message)
  const whole = Json.canonical(json)
  if (whole.length < LARGE) return void objects.set(key, { key, tag, parts: "", body: whole })
  const cut = new Cut()
  cut.write(json)
  for (const [key, body] of cut.parts) objects.set(key, { key, tag: "", parts: "", body })
  objects.set(key, { key, tag, parts: cut.places.join(" "), body: cut.body })
}

/** The page that a message is, unless someone made one that is no page of 32. */
const pageOf = ({ before, hashKey, items, length }: Message.Page): Pages.Page | undefined => {
  const page = { before: before?.hashKey, items: items.map(({ hashKey }) => hashKey), length, hashKey }
  return items.length === Pages.SIZE && Pages.hashKey(page) === hashKey ? page : undefined
}

/** The canonical spelling of JSON without its large strings, and those, with their places. */
class Cut {
  body = ""
  readonly places: Array<string> = []
  readonly parts = new Map<string, string>()

  write(value: Schema.Json): void {
    if (typeof value !== "object" || value === null) this.scalar(value)
    else if (Array.isArray(value)) this.list("[", value as ReadonlyArray<Schema.Json>, (item) => this.write(item), "]")
    else {
      const fields = value as Schema.JsonObject
      const keys = Object.keys(fields).sort()
      this.list("{", keys, (key) => ((this.body += `${JSON.stringify(key)}:`), this.write(fields[key]!)), "}")
    }
  }

  private scalar(value: string | number | boolean | null): void {
    const text = JSON.stringify(value)
    if (text.length < LARGE) return void (this.body += text)
    const key = Json.sha(text)
    this.places.push(`${this.body.length}:${key}`)
    this.parts.set(key, text)
  }

  private list<A>(open: string, items: ReadonlyArray<A>, write: (item: A) => void, close: string): void {
    this.body += open
    for (const [i, item] of items.entries()) {
      if (i > 0) this.body += ","
      write(item)
    }
    this.body += close
  }
}

/** The places of the parts of a row, in order. */
export const partsOf = ({ parts }: ObjectRow): ReadonlyArray<readonly [offset: number, key: string]> =>
  parts === ""
    ? []
    : parts.split(" ").map((place) => [Number(place.slice(0, place.indexOf(":"))), place.slice(place.indexOf(":") + 1)])

/** The whole body of a row whose parts are these; nothing where one is missing. */
const whole = (row: ObjectRow, parts: ReadonlyMap<string, string>): string | undefined => {
  let [text, from] = ["", 0]
  for (const [offset, key] of partsOf(row)) {
    const part = parts.get(key)
    if (part === undefined) return undefined
    text += row.body.slice(from, offset) + part
    from = offset
  }
  return from === 0 ? row.body : text + row.body.slice(from)
}

/** What a row refers to: messages (and parts) by their keys, and lists by their last pages. */
export interface Inside {
  readonly keys: ReadonlyArray<string>
  readonly pages: ReadonlyArray<string>
}

export const inside = (row: ObjectRow): Inside => {
  const keys: Array<string> = partsOf(row).map(([, key]) => key)
  const pages: Array<string> = []
  // what was cut out of a body is a string, whose place `null` can take
  if (row.body.includes("__hash_")) insideJson(JSON.parse(nulled(row)) as Schema.Json, keys, pages)
  return { keys, pages }
}

const nulled = (row: ObjectRow): string => whole(row, new Map(partsOf(row).map(([, key]) => [key, "null"])))!

const insideJson = (json: Schema.Json, keys: Array<string>, pages: Array<string>): void => {
  const message = (key: string) => (keys.push(key), null)
  References.read(json, { message, page: (key) => (pages.push(key), []) })
}

const damaged = (row: string, problem: string) => new Damage({ reason: "damaged", row, problem })

/** What is wrong with the rows: each is compared with its key. */
export const wrongPage = (page: Pages.Page): Damage | undefined =>
  page.items.length === Pages.SIZE && Pages.hashKey(page) === page.hashKey
    ? undefined
    : damaged(`pages ${page.hashKey}`, changed)

export const wrongObject = (row: ObjectRow, parts: ReadonlyMap<string, string>): Damage | undefined => {
  const text = whole(row, parts)
  if (text === undefined) return damaged(`objects ${row.key}`, "lacks a part of it")
  return Json.sha(text) === row.key ? undefined : damaged(`objects ${row.key}`, changed)
}

const changed = "was changed: its hash is not its key"

/** Where rows are read from. */
export type Source = Pick<Tables, "objects" | "pages">

/** The rows of a write, to be read back before they are kept. */
export const sourceOf = ({ objects, pages }: Rows): Source => {
  const objectsByKey = new Map(objects.map((row) => [row.key, row]))
  const pagesByKey = new Map(pages.map((row) => [row.hashKey, row]))
  const chain = (last: string | undefined): ReadonlyArray<Pages.Page> => {
    const page = last === undefined ? undefined : pagesByKey.get(last)
    return page === undefined ? [] : [page, ...chain(page.before)]
  }
  return {
    objects: (keys) => Effect.sync(() => keys.flatMap((key) => objectsByKey.get(key) ?? [])),
    pages: (last) => Effect.sync(() => chain(last))
  }
}

/** Reads messages by their keys; equal keys give one message. */
export const read = (
  source: Source,
  classes: ReadonlyArray<Message.AnyClass>,
  keys: Iterable<string>
): Effect.Effect<ReadonlyMap<string, Message.Message>, SqlError | Damage> =>
  Effect.suspend(() => {
    const reading = new Reading(source, classes)
    const wanted = new Set(keys)
    return Effect.flatMap(reading.fetch(wanted), () => reading.decode(wanted))
  })

class Reading {
  private readonly source: Source
  private readonly bodies = new Map<string, Schema.JsonObject>()
  /** The keys in a list up to the end of a page. */
  private readonly lists = new Map<string, ReadonlyArray<string>>()
  private readonly refers = new Map<string, ReadonlyArray<string>>()
  private readonly messages = new Map<string, Message.Message>()
  private readonly jsons = new Map<string, Schema.JsonObject>()
  private readonly decoded = new WeakMap<object, Message.Message>()
  private readonly reader: ReturnType<typeof Reader.make>

  constructor(source: Source, classes: ReadonlyArray<Message.AnyClass>) {
    this.source = source
    this.reader = Reader.make(classes, (json) =>
      typeof json === "object" && json !== null ? this.decoded.get(json) : undefined
    )
  }

  /** Fetches and checks rows, and what they refer to. */
  fetch(keys: ReadonlySet<string>): Effect.Effect<void, SqlError | Damage> {
    return Effect.gen({ self: this }, function* () {
      let wanted: ReadonlyArray<string> = [...keys]
      while (wanted.length > 0) {
        const next = new Set<string>()
        for (let start = 0; start < wanted.length; start += ROWS_AT_ONCE) {
          yield* this.some(wanted.slice(start, start + ROWS_AT_ONCE), next)
        }
        wanted = [...next].filter((key) => !this.bodies.has(key))
      }
    })
  }

  private some(keys: ReadonlyArray<string>, next: Set<string>): Effect.Effect<void, SqlError | Damage> {
    return Effect.gen({ self: this }, function* () {
      const rows = yield* this.source.objects(keys)
      const parts = yield* partsFor(this.source, rows)
      const pages = new Set<string>()
      for (const row of rows) {
        const wrong = wrongObject(row, parts)
        if (wrong !== undefined) return yield* wrong
        const text = whole(row, parts)!
        this.take(row.key, JSON.parse(text) as Schema.JsonObject, text.includes("__hash_"), next, pages)
      }
      for (const key of keys) {
        if (this.bodies.has(key)) continue
        // not an object: a page that was put as a message
        const [page] = yield* this.source.pages(key, Number.MAX_SAFE_INTEGER)
        if (page === undefined) return yield* damaged(`objects ${key}`, "is missing")
        this.take(key, Pages.toJson(page), true, next, pages)
      }
      for (const page of pages) for (const key of yield* this.list(page)) next.add(key)
    })
  }

  private take(key: string, body: Schema.JsonObject, refers: boolean, next: Set<string>, pages: Set<string>): void {
    this.bodies.set(key, body)
    if (!refers) return
    const [keys, lists]: [Array<string>, Array<string>] = [[], []]
    insideJson(body, keys, lists)
    this.refers.set(key, [...keys, ...lists])
    for (const each of keys) next.add(each)
    for (const each of lists) pages.add(each)
  }

  private list(page: string): Effect.Effect<ReadonlyArray<string>, SqlError | Damage> {
    const known = this.lists.get(page)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(chainOf(this.source, page, 0), (pages) => {
      const keys = pages.flatMap((_, i) => pages[pages.length - 1 - i]!.items)
      this.lists.set(page, keys)
      return keys
    })
  }

  /** Each message after those in it, without recursion: a conversation may be as deep as it is long. */
  decode(keys: Iterable<string>): Effect.Effect<ReadonlyMap<string, Message.Message>, Damage> {
    const pending = [...keys]
    for (let key = pending.at(-1); key !== undefined; key = pending.at(-1)) {
      const missing = this.messages.has(key) ? [] : this.insideOf(key).filter((each) => !this.messages.has(each))
      if (missing.length > 0) {
        for (const each of missing) pending.push(each)
        continue
      }
      if (!this.messages.has(key) && !this.decodeOne(key)) return Effect.fail(shadows(key))
      pending.pop()
    }
    return Effect.succeed(this.messages)
  }

  private insideOf(key: string): ReadonlyArray<string> {
    return (this.refers.get(key) ?? none).flatMap((each) => this.lists.get(each) ?? each)
  }

  private decodeOne(key: string): boolean {
    const body = this.bodies.get(key)!
    let [json, fields] = [body, body as object]
    if (this.refers.has(key)) {
      const page = (page: string) => this.lists.get(page)!
      json = References.read(body, { message: (key) => this.jsons.get(key)!, page }) as Schema.JsonObject
      fields = References.read(body, { message: (key) => this.messages.get(key) as never, page }) as object
    }
    const message = this.reader(key, body, json, fields)
    if (message === undefined) return false
    this.messages.set(key, message)
    if (this.refers.size > 0) {
      this.jsons.set(key, json)
      this.decoded.set(json, message)
    }
    return true
  }
}

const none: ReadonlyArray<string> = []

const shadows = (key: string) =>
  new Damage({ reason: "unreadable", row: `objects ${key}`, problem: "has a field that every message has already" })

/** The parts of rows. */
export const partsFor = (
  source: Pick<Source, "objects">,
  rows: ReadonlyArray<ObjectRow>
): Effect.Effect<ReadonlyMap<string, string>, SqlError> => {
  const keys = new Set(rows.flatMap((row) => partsOf(row).map(([, key]) => key)))
  if (keys.size === 0) return Effect.succeed(new Map())
  return Effect.map(source.objects([...keys]), (parts) => new Map(parts.map(({ body, key }) => [key, body])))
}

/** A page and the ones before it, the last first, down to a position; each is checked, and none is missing. */
export const chainOf = (
  source: Pick<Source, "pages">,
  last: string,
  from: number
): Effect.Effect<ReadonlyArray<Pages.Page>, SqlError | Damage> =>
  Effect.gen(function* () {
    const pages = yield* source.pages(last, from)
    let [expected, start]: [string | undefined, number] = [last, Number.POSITIVE_INFINITY]
    for (const page of pages) {
      const wrong = wrongPage(page)
      if (wrong !== undefined) return yield* wrong
      expected = page.before
      start = page.length - Pages.SIZE
    }
    if (start > from && expected !== undefined) return yield* damaged(`pages ${expected}`, "is missing")
    return pages
  })

/** What finds the pages of a list down to a position. */
export const pagesFrom = (
  source: Pick<Source, "pages">,
  { length, page }: Pages.List,
  from: number
): Effect.Effect<(key: string) => Pages.Page, SqlError | Damage> => {
  const chain = page === undefined || Pages.onPages(length) <= from ? Effect.succeed([]) : chainOf(source, page, from)
  return Effect.map(chain, (pages) => {
    const found = new Map(pages.map((page) => [page.hashKey, page]))
    return (key) => found.get(key)!
  })
}

/** The keys of a list from a position on, which reads no page that lies before it. */
export const listOf = (
  source: Pick<Source, "pages">,
  list: Pages.List,
  from: number
): Effect.Effect<ReadonlyArray<string>, SqlError | Damage> =>
  Effect.map(pagesFrom(source, list, from), (find) => Pages.from(list, from, find))

/** The tag of a row is no part of its hash, so it is compared with the body. */
export const wrongTag = (row: ObjectRow): Damage | undefined => {
  if (row.tag === "" || (JSON.parse(nulled(row)) as Schema.JsonObject)._tag === row.tag) return undefined
  return damaged(`objects ${row.key}`, `was changed: its tag is not that of its body`)
}
