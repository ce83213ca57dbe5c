/** What a store does, over the rows of any kind of tables. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import * as LlmMessage from "../llm/agents/LlmMessage.ts"
import * as Pages from "./pages.ts"
import * as Message from "../Message.ts"
import * as Objects from "./objects.ts"
import { messageOf, Said } from "./said.ts"
import { Conflict, ConversationError, Damage, fromCause, type StoreError } from "./storeError.ts"
import { type Entry, FRESH, type Head, type Ref, sound, type Tables } from "./tables.ts"

/** The classes of messages that programs have told. */
export const CurrentClasses = Context.Reference<ReadonlyArray<Message.AnyClass>>("miniagents/Store/CurrentClasses", {
  defaultValue: () => []
})

/** What goes wrong with rows, before it is said which operation it stopped. */
export type Trouble = SqlError | Damage

export interface AppendOptions {
  readonly version?: number | undefined
  /** Whether a conversation that is not there begins. */
  readonly begin?: boolean
}

export type Range = (length: number) => readonly [from: number, to: number]

export interface Diff {
  readonly shared: number
  readonly left: ReadonlyArray<Message.Message>
  readonly right: ReadonlyArray<Message.Message>
}

export class Engine {
  /** What is collected with the rest of the store, by whoever keeps something beside it; each gives how many rows went. */
  readonly collectors = new Set<Effect.Effect<number, StoreError>>()
  readonly tables: Tables
  private readonly known = new Known()

  constructor(tables: Tables) {
    this.tables = tables
  }

  /** Names the operation in whatever stops it. */
  during<A, E, R>(
    operation: string,
    effect: Effect.Effect<A, E, R>
  ): Effect.Effect<A, Exclude<E, Trouble> | StoreError, R> {
    const named = fromCause(operation, this.tables.name)
    const isOurs = (error: unknown) => error instanceof Conflict || error instanceof ConversationError
    return Effect.mapError(effect, (error) => (isOurs(error) ? error : named(error as never)) as never)
  }

  put(messages: Iterable<Message.Message>): Effect.Effect<void, StoreError> {
    return this.during(
      "put messages",
      this.writing(messages, (rows) => {
        const write = this.write(rows)
        return rows.objects.length + rows.pages.length > 1 ? this.tables.transaction(write) : write
      })
    )
  }

  /** Does something with the rows of messages that are not known to be there, which they are when it is done. */
  private writing<A, E>(
    messages: Iterable<Message.Message>,
    use: (rows: Objects.Rows) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    return Effect.gen({ self: this }, function* () {
      const look = this.known.at(yield* Clock.currentTimeMillis)
      const rows = Objects.write(messages, look.isKnown)
      const done = yield* use(rows)
      if (!(yield* this.tables.inTransaction)) look.add(rows)
      return done
    })
  }

  private write({ objects, pages }: Objects.Rows): Effect.Effect<void, SqlError> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const put = this.tables.putObjects(objects, now)
      return pages.length === 0 ? put : Effect.andThen(put, this.tables.putPages(pages, now))
    })
  }

  get(hashKey: string): Effect.Effect<Message.Message | undefined, StoreError> {
    const missing = (error: Trouble) =>
      error instanceof Damage && error.row === `objects ${hashKey}` && error.problem === "is missing"
    const found = this.read([hashKey]).pipe(
      Effect.map(([message]) => message),
      Effect.catchIf(missing, () => Effect.undefined)
    )
    return this.during(`get \`${hashKey}\``, /^[0-9a-f]{64}$/.test(hashKey) ? found : Effect.undefined)
  }

  /** The messages of these keys. */
  private read(keys: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Message.Message>, Trouble> {
    return Effect.flatMap(allClasses, (classes) =>
      Effect.map(Objects.read(this.tables, classes, keys), (found) => keys.map((key) => found.get(key)!))
    )
  }

  /** Begins a conversation unless it is there. */
  begin(name: string): Effect.Effect<Head, StoreError> {
    const added = this.tables.addRef({ name, parent: undefined, forkedAt: 0, version: 0, list: Pages.empty })
    const begun = Effect.gen({ self: this }, function* () {
      const found = yield* this.find(name)
      if (found === undefined) yield* added
      return found ?? { version: 0, list: Pages.empty }
    })
    return this.during(`begin \`${name}\``, begun)
  }

  private find(name: string, toChange = false): Effect.Effect<Ref | undefined, Trouble> {
    return Effect.flatMap(this.tables.ref(name, toChange), sound)
  }

  /** The row of a conversation that must be there. */
  private the(name: string, toChange = false): Effect.Effect<Ref, Trouble | ConversationError> {
    return Effect.filterOrFail(
      this.find(name, toChange),
      (ref) => ref !== undefined,
      () => refused(name, "not found", "is not in the store")
    )
  }

  head(name: string): Effect.Effect<Ref | undefined, StoreError> {
    return this.during(`read \`${name}\``, this.find(name))
  }

  append(
    name: string,
    messages: Iterable<Message.Message>,
    { begin = true, version }: AppendOptions = {}
  ): Effect.Effect<Head, StoreError | Conflict | ConversationError> {
    const appended = Effect.gen({ self: this }, function* () {
      const given = [...messages]
      yield* this.refuseUnreadable(given)
      const keys = given.map(({ hashKey }) => hashKey)
      const appending = (rows: Objects.Rows) =>
        Effect.gen({ self: this }, function* () {
          yield* this.write(rows)
          const ref = yield* this.refToAppendTo(name, begin)
          if (version !== undefined && version !== ref.version) return yield* conflict(name, version, ref.version)
          const { list, pages } = Pages.append(ref.list, keys)
          if (pages.length > 0) yield* this.write({ objects: [], pages })
          return yield* this.move(ref, list, "append")
        })
      return yield* this.writing(given, (rows) => this.tables.transaction(appending(rows)))
    })
    return this.during(`append to \`${name}\``, appended)
  }

  private refToAppendTo(name: string, begin: boolean): Effect.Effect<Ref, Trouble | ConversationError> {
    return Effect.gen({ self: this }, function* () {
      const found = yield* this.find(name, true)
      if (found !== undefined || !begin) return found ?? (yield* this.the(name, true))
      yield* this.tables.addRef({ name, parent: undefined, forkedAt: 0, version: 0, list: Pages.empty })
      return yield* this.the(name, true)
    })
  }

  /** Sets where a conversation stands, and logs it; what it had before is kept where that is taken away. */
  private move(ref: Ref, list: Pages.List, operation: Entry["operation"]): Effect.Effect<Head, SqlError | Conflict> {
    return Effect.gen({ self: this }, function* () {
      const version = ref.version + 1
      if (!(yield* this.tables.setRef({ ...ref, version, list }))) {
        return yield* conflict(ref.name, ref.version, version)
      }
      const at = yield* Clock.currentTimeMillis
      const before = operation === "append" ? undefined : ref.list
      yield* this.tables.addEntry(ref.id, { version, operation, length: list.length, at, before })
      return { version, list }
    })
  }

  /** Refuses messages that could not be read again by the classes that are known. */
  private refuseUnreadable(given: ReadonlyArray<Message.Message>): Effect.Effect<void, Trouble> {
    const suspects = new Map<string, Message.Message>()
    for (const message of given) {
      for (const each of Message.nestedBut(message, ({ hashKey }) => suspects.has(hashKey))) suspect(each, suspects)
      suspect(message, suspects)
    }
    if (suspects.size === 0) return Effect.void
    const rows = Objects.write(suspects.values(), () => false)
    return Effect.flatMap(allClasses, (classes) =>
      Effect.flatMap(Objects.read(Objects.sourceOf(rows), classes, suspects.keys()), (found) => {
        const unreadable = [...suspects].find(([key]) => Message.isUnknown(found.get(key)!))
        return unreadable === undefined ? Effect.void : Effect.fail(cannotBeRead(...unreadable))
      })
    )
  }

  /** The messages of a conversation in a range of positions, as `Array.slice` has it. */
  messages(name: string, range: Range): Effect.Effect<ReadonlyArray<Message.Message>, StoreError | ConversationError> {
    return Effect.map(this.said(name, range), (said) => said.map(messageOf))
  }

  /** The same, each as a `Said` of which it is known who made it. */
  said(name: string, range: Range): Effect.Effect<ReadonlyArray<Message.Message>, StoreError | ConversationError> {
    return this.during(
      `read \`${name}\``,
      Effect.gen({ self: this }, function* () {
        const { list } = yield* this.the(name)
        const [from, to] = range(list.length)
        const keys = yield* Objects.listOf(this.tables, list, from)
        return yield* this.read(keys.slice(0, Math.max(0, to - from)))
      })
    )
  }

  fork(name: string, as: string, at: number | undefined): Effect.Effect<Head, StoreError | ConversationError> {
    const forked = Effect.gen({ self: this }, function* () {
      const ref = yield* this.the(name, true)
      const list = yield* this.prefix(ref, at)
      const fork = { name: as, parent: name, forkedAt: list.length, version: 1, list }
      const id = yield* this.tables.addRef(fork)
      if (id === undefined) return yield* refused(as, "exists", "is in the store already: take another name")
      const time = yield* Clock.currentTimeMillis
      yield* this.tables.addEntry(id, {
        ...{ version: 1, operation: "fork", length: list.length, at: time, before: undefined }
      })
      return fork
    })
    return this.during(`fork \`${name}\``, this.tables.transaction(forked))
  }

  private prefix(ref: Ref, at: number | undefined): Effect.Effect<Pages.List, Trouble | ConversationError> {
    const { length } = ref.list
    if (at === undefined) return Effect.succeed(ref.list)
    if (!Number.isInteger(at) || at < 0 || at > length) {
      const detail = `has no position \`${at}\`: take a whole number from 0 to ${length}, its length`
      return Effect.fail(refused(ref.name, "no such position", detail))
    }
    return Effect.map(Objects.pagesFrom(this.tables, ref.list, at), (find) => Pages.prefix(ref.list, at, find))
  }

  rewind(name: string, to: number, version?: number): Effect.Effect<Head, StoreError | Conflict | ConversationError> {
    const rewound = Effect.gen({ self: this }, function* () {
      const ref = yield* this.the(name, true)
      if (version !== undefined && version !== ref.version) return yield* conflict(name, version, ref.version)
      return yield* this.move(ref, yield* this.prefix(ref, to), "rewind")
    })
    return this.during(`rewind \`${name}\``, this.tables.transaction(rewound))
  }

  undo(name: string): Effect.Effect<Head, StoreError | Conflict | ConversationError> {
    const undone = Effect.gen({ self: this }, function* () {
      const ref = yield* this.the(name, true)
      const entry = yield* Effect.flatMap(this.tables.lastTaken(ref.id), sound)
      if (entry?.before === undefined) {
        return yield* refused(name, "nothing to undo", "was never rewound, or that is forgotten by now")
      }
      return yield* this.move(ref, entry.before, "undo")
    })
    return this.during(`undo \`${name}\``, this.tables.transaction(undone))
  }

  log(name: string): Effect.Effect<ReadonlyArray<Entry>, StoreError | ConversationError> {
    const log = Effect.flatMap(this.the(name), ({ id }) => this.tables.entries(id))
    return this.during(`read the log of \`${name}\``, Effect.flatMap(log, Effect.forEach(sound)))
  }

  list(prefix: string): Effect.Effect<ReadonlyArray<Ref>, StoreError> {
    return this.during("list conversations", Effect.flatMap(this.tables.refs(prefix), Effect.forEach(sound)))
  }

  remove(name: string): Effect.Effect<void, StoreError | ConversationError> {
    const removed = Effect.flatMap(this.the(name, true), ({ id }) => this.tables.removeRef(id))
    return this.during(`delete \`${name}\``, this.tables.transaction(removed))
  }

  diff(left: string, right: string): Effect.Effect<Diff, StoreError | ConversationError> {
    return this.during(
      `compare \`${left}\` with \`${right}\``,
      Effect.gen({ self: this }, function* () {
        const [a, b] = [(yield* this.the(left)).list, (yield* this.the(right)).list]
        const from = yield* this.sharedPages(a, b)
        const [restA, restB] = [
          yield* Objects.listOf(this.tables, a, from),
          yield* Objects.listOf(this.tables, b, from)
        ]
        let same = 0
        while (same < restA.length && restA[same] === restB[same]) same++
        const said = yield* this.read([...restA.slice(same), ...restB.slice(same)])
        return diffOf(from + same, said.map(messageOf), restA.length - same)
      })
    )
  }

  /** How many messages stand on the pages that two lists share. */
  private sharedPages(a: Pages.List, b: Pages.List): Effect.Effect<number, SqlError> {
    if (a.page === undefined || b.page === undefined) return Effect.succeed(0)
    if (a.page === b.page) return Effect.succeed(Pages.onPages(a.length))
    return Effect.zipWith(this.tables.pageKeys(a.page), this.tables.pageKeys(b.page), (a, b) => {
      const others = new Set(b.map(([key]) => key))
      return a.find(([key]) => others.has(key))?.[1] ?? 0
    })
  }
}

/** What two lists have in common after what they share: the same may have been said by others. */
const diffOf = (shared: number, both: ReadonlyArray<Message.Message>, length: number): Diff => {
  const [left, right] = [both.slice(0, length), both.slice(length)]
  const differs = left.findIndex(({ hashKey }, i) => right[i]?.hashKey !== hashKey)
  const same = differs < 0 ? left.length : differs
  return { shared: shared + same, left: left.slice(same), right: right.slice(same) }
}

/** The rows that were put a short while ago, with all that they hold: they need not be put again. */
class Known {
  private readonly times = new Map<string, number>()

  at(now: number) {
    let oldest = now
    const isKnown = (key: string) => {
      const time = this.times.get(key)
      if (time === undefined || now - time >= FRESH) return false
      oldest = Math.min(oldest, time)
      return true
    }
    // what is put is as old as the oldest of what it may hold
    const add = ({ objects, pages }: Objects.Rows) => {
      if (this.times.size > KNOWN) this.times.clear()
      for (const { key } of objects) this.times.set(key, oldest)
      for (const { hashKey } of pages) this.times.set(hashKey, oldest)
    }
    return { isKnown, add }
  }
}

const KNOWN = 50_000

const own = [...LlmMessage.classes, Said]

const allClasses = Effect.map(CurrentClasses, (classes) => [...own, ...classes])

const ownClasses: ReadonlySet<unknown> = new Set(own)

const suspect = (message: Message.Message, suspects: Map<string, Message.Message>): void => {
  if (Message.isBuiltin(message) || ownClasses.has(message.constructor)) return
  suspects.set(message.hashKey, message)
}

const cannotBeRead = (key: string, { _tag }: Message.Message): Damage =>
  new Damage({
    reason: "unreadable",
    row: `objects ${key}`,
    problem: `is a \`${_tag}\` that could not be read again: give its class, whose fields decode to what they were, among the classes`
  })

const conflict = (conversation: string, expected: number, actual: number) =>
  new Conflict({ conversation, expected, actual })

const refused = (conversation: string, reason: ConversationError["reason"], detail: string) =>
  new ConversationError({ conversation, reason, detail })
