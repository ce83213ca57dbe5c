/** The rows of a store, and what can be done with them, wherever they are kept. Keys are 64 hex digits here. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Json from "../internal/json.ts"
import type * as Pages from "./pages.ts"
import { Damage } from "./storeError.ts"

/**
 * An object: a message, whose key is the sha256 of its body. Where the body is long, the long strings in it are objects
 * of their own, without a tag, and `parts` says where they belong: `offset:key offset:key`.
 */
export interface ObjectRow {
  readonly key: string
  readonly tag: string
  readonly body: string
  readonly parts: string
}

/** Where a conversation stands. */
export interface Head {
  readonly version: number
  readonly list: Pages.List
}

/** The row of a conversation: its name, where it was forked, and where it stands. */
export interface Ref extends Head {
  readonly id: number
  readonly name: string
  readonly parent: string | undefined
  readonly forkedAt: number
}

/** What was done to a conversation, and, where that took something away, what it had before. */
export interface Entry {
  readonly version: number
  readonly operation: "append" | "fork" | "rewind" | "undo"
  readonly length: number
  readonly at: number
  readonly before: Pages.List | undefined
}

export interface Tables {
  readonly name: string
  /** The database that they are in, if they are in one, for tables beside these. */
  readonly sql: SqlClient | undefined
  /** Whether a transaction of the caller's is under way, which may yet be undone. */
  readonly inTransaction: Effect.Effect<boolean>
  /** Everything that is done in one is done as a whole, or not at all. */
  readonly transaction: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>
  /** Those that are there already are as fresh as new ones from then on. */
  readonly putObjects: (rows: ReadonlyArray<ObjectRow>, at: number) => Effect.Effect<void, SqlError>
  readonly putPages: (rows: ReadonlyArray<Pages.Page>, at: number) => Effect.Effect<void, SqlError>
  readonly objects: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<ObjectRow>, SqlError>
  /** A page and the ones before it, the last first, down to the one in which position `from` is. */
  readonly pages: (last: string, from: number) => Effect.Effect<ReadonlyArray<Pages.Page>, SqlError>
  /** The same without their items: their keys and lengths. */
  readonly pageKeys: (last: string) => Effect.Effect<ReadonlyArray<readonly [key: string, length: number]>, SqlError>
  /** Objects and pages in the order of their keys, after one of them. */
  readonly someObjects: (after: string) => Effect.Effect<ReadonlyArray<ObjectRow>, SqlError>
  readonly somePages: (after: string) => Effect.Effect<ReadonlyArray<Pages.Page>, SqlError>
  /** The keys of rows that were last put before a time. */
  readonly oldKeys: (table: "objects" | "pages", before: number) => Effect.Effect<ReadonlyArray<string>, SqlError>
  /** Removes those of these rows that were last put before a time. */
  readonly removeOld: (
    table: "objects" | "pages",
    keys: ReadonlyArray<string>,
    before: number
  ) => Effect.Effect<number, SqlError>
  /** With `toChange`, nobody else changes the row until the transaction ends. */
  readonly ref: (name: string, toChange: boolean) => Effect.Effect<Ref | Damage | undefined, SqlError>
  /** The conversations whose names begin so, the oldest first. */
  readonly refs: (prefix: string) => Effect.Effect<ReadonlyArray<Ref | Damage>, SqlError>
  /** Nothing when there is one of that name. */
  readonly addRef: (ref: Omit<Ref, "id">) => Effect.Effect<number | undefined, SqlError>
  /** Compare and set: whether the row was at the version before. */
  readonly setRef: (ref: Ref) => Effect.Effect<boolean, SqlError>
  readonly removeRef: (id: number) => Effect.Effect<void, SqlError>
  readonly addEntry: (ref: number, entry: Entry) => Effect.Effect<void, SqlError>
  readonly entries: (ref: number) => Effect.Effect<ReadonlyArray<Entry | Damage>, SqlError>
  /** The last entry that took something away. */
  readonly lastTaken: (ref: number) => Effect.Effect<Entry | Damage | undefined, SqlError>
  /** All the lists that entries took something from. */
  readonly taken: Effect.Effect<ReadonlyArray<Pages.List>, SqlError>
  /** Forgets what entries before a time took away. */
  readonly forget: (before: number) => Effect.Effect<void, SqlError>
}

/**
 * Ten minutes: a row is collected only when it is older by this than the grace period. So long nobody has to put it again
 * who knows that it is there.
 */
export const FRESH = 600_000

/** Rows in one statement: SQLite and Postgres take more parameters than this needs. */
export const ROWS_AT_ONCE = 1_000

/** A sum over what a row says, kept in the row: a changed byte is found where no key covers it. */
export const sumOfRef = ({ forkedAt, list, name, parent, version }: Omit<Ref, "id">): string =>
  sum([name, parent ?? null, forkedAt, version, list.page ?? "", list.rest.join(""), list.length])

export const sumOfEntry = ({ at, before, length, operation, version }: Entry): string =>
  sum([version, operation, length, at, before?.page ?? "", before?.rest.join("") ?? "", before?.length ?? -1])

const sum = (values: ReadonlyArray<string | number | null>): string => Json.hash(values).slice(0, 16)

/** The value of a row, unless the row says something else than when it was written. */
export const checked = <A>(row: string, value: A, sumOf: (value: A) => string, sum: string): A | Damage =>
  sumOf(value) === sum
    ? value
    : new Damage({ reason: "damaged", row, problem: "was changed: it does not have the sum that was kept with it" })

/** A row that must not be damaged. */
export const sound = <A>(row: A | Damage): Effect.Effect<A, Damage> =>
  row instanceof Damage ? Effect.fail(row) : Effect.succeed(row)
