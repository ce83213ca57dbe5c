/**
 * What goes wrong in a store, and in a conversation that is kept in one.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SqlError from "effect/sql/SqlError"

/**
 * Why a store could not do what it was asked:
 *
 * - `damaged`: a row is missing, or is not what its key says: `row` names it;
 * - `unreadable`: a message that could not be read again was refused: `row` names it;
 * - `no space`: the disk, or the quota of the database, is full;
 * - `read-only`: the database, or the user it was opened as, may not write;
 * - `unsupported`: the database is no SQLite and no Postgres, or was made by another version of this library;
 * - `failed`: anything else, see `detail` and `cause`.
 *
 * @since 0.1.0
 * @category errors
 */
export type Reason = "damaged" | "unreadable" | "no space" | "read-only" | "unsupported" | "failed"

/**
 * A store could not do what it was asked. Nothing of it is kept.
 *
 * @since 0.1.0
 * @category errors
 */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  /** What it was asked, such as "append to `support/42`". */
  operation: Schema.String,
  /** What the names of its tables begin with, or `memory`. */
  store: Schema.String,
  reason: Schema.Literals(["damaged", "unreadable", "no space", "read-only", "unsupported", "failed"]),
  /** The row that is damaged or was refused: its table and its key. */
  row: Schema.optionalKey(Schema.String),
  detail: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `Could not ${this.operation} in the store \`${this.store}\`: ${this.detail}`
  }
}

/**
 * A conversation was appended to since: it is at another version than the one that was expected. Read it again.
 *
 * @since 0.1.0
 * @category errors
 */
export class Conflict extends Schema.TaggedError<Conflict>()("Conflict", {
  conversation: Schema.String,
  expected: Schema.Int,
  actual: Schema.Int
}) {
  override get message(): string {
    return `The conversation \`${this.conversation}\` is at version ${this.actual}, not ${this.expected}: read it again`
  }
}

/**
 * A conversation that is not there, or is there already, or does not have what was asked for.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConversationError extends Schema.TaggedError<ConversationError>()("ConversationError", {
  conversation: Schema.String,
  reason: Schema.Literals(["not found", "exists", "no such position", "nothing to undo"]),
  detail: Schema.String
}) {
  override get message(): string {
    return `The conversation \`${this.conversation}\` ${this.detail}`
  }
}

/** What is wrong with a row. */
export class Damage extends Schema.TaggedError<Damage>()("Damage", {
  reason: Schema.Literals(["damaged", "unreadable", "unsupported"]),
  row: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return this.row === "" ? this.problem : `the row \`${this.row}\` ${this.problem}`
  }
}

/** @internal */
export const fromCause =
  (operation: string, store: string) =>
  (cause: { readonly message: string }): StoreError => {
    if (cause instanceof StoreError) return cause
    if (cause instanceof Damage) {
      const row = cause.row === "" ? {} : { row: cause.row }
      return new StoreError({ operation, store, reason: cause.reason, ...row, detail: cause.message })
    }
    const reason = reasonOf(cause)
    return new StoreError({ operation, store, reason, detail: `${said[reason] ?? ""}${detailOf(cause)}`, cause })
  }

const said: { readonly [reason in Reason]?: string } = {
  "no space": "there is no space left: ",
  "read-only": "it is read-only: ",
  damaged: "the database is damaged: "
}

/** Some drivers say only that a query failed, and have what the database said as the cause of that. */
const detailOf = (error: { readonly message: string; readonly cause?: unknown }): string => {
  const inner = error.cause instanceof Error ? detailOf(error.cause) : ""
  return inner === "" || error.message.includes(inner) ? error.message : `${error.message}: ${inner}`
}

/** SQLite's primary result codes, and the states of Postgres. */
const codes: { readonly [code: string]: Reason } = {
  8: "read-only",
  11: "damaged",
  13: "no space",
  26: "damaged",
  "25006": "read-only",
  "42501": "read-only",
  "53100": "no space",
  XX001: "damaged",
  XX002: "damaged"
}

const reasonOf = (error: unknown): Reason => {
  let cause = SqlError.isSqlError(error) ? error.reason.cause : error
  for (let depth = 0; depth < 5 && Predicate.isObject(cause); depth++) {
    const { code, errcode } = cause as { readonly code?: unknown; readonly errcode?: unknown }
    const found = codes[typeof errcode === "number" ? errcode & 0xff : String(code)]
    if (found !== undefined) return found
    cause = (cause as { readonly cause?: unknown }).cause
  }
  return "failed"
}
