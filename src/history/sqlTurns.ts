/** Turns as rows of a database: who has one says so again and again, and whoever does not has lost it. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment, Identifier } from "effect/sql/Statement"
import { turnName } from "./turnName.ts"

export interface Options {
  readonly tablePrefix: string
  readonly lease: Duration.Input
}

/** Waits for the turn of a conversation, which nobody else has then until the scope closes. */
export type Take = (conversation: string) => Effect.Effect<void, SqlError, Scope.Scope>

/** How often who waits looks whether it is its turn. */
const often = "50 millis"

export const make = (options: Options): Effect.Effect<Take, SqlError, SqlClient.SqlClient | Scope.Scope> =>
  Effect.gen(function* () {
    const turns = new SqlTurns(yield* SqlClient.SqlClient, options)
    yield* turns.open
    yield* Effect.forkScoped(turns.keep)
    return turns.take
  })

/** A turn that this process has. */
interface Turn {
  /** Who it was given to. */
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Until when it is certain. That is earlier than it expires: whom it is lost to has ended before another one begins. */
  certain: number
}

class SqlTurns {
  private readonly sql: SqlClient.SqlClient
  private readonly table: Identifier
  private readonly lease: number
  /** This process, as the rows name it. */
  private readonly holder = SecureRandom.uuidV4Unsafe()
  private readonly held = new Map<string, Turn>()

  constructor(sql: SqlClient.SqlClient, { lease, tablePrefix }: Options) {
    this.sql = sql
    this.table = sql(`${tablePrefix}turns`)
    this.lease = Math.ceil(Duration.toMillis(lease))
  }

  /** Makes the table if it is not there. Of processes that do so at once Postgres lets one fail. */
  get open(): Effect.Effect<void, SqlError> {
    const { sql, table } = this
    const create = sql`CREATE TABLE IF NOT EXISTS ${table} (
      conversation VARCHAR(500) NOT NULL PRIMARY KEY, holder VARCHAR(36) NOT NULL, expires BIGINT NOT NULL
    )`
    return Effect.asVoid(Effect.retry(create, { times: 3 }))
  }

  readonly take: Take = (conversation) =>
    Effect.withFiber((fiber) => {
      const name = turnName(conversation)
      const look = Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.map(this.outside(this.insert(name)), (rows) => (rows.length === 0 ? undefined : now + this.lease / 2))
      )
      const taken = Effect.repeat(look, { until: (certain) => certain !== undefined, schedule: Schedule.spaced(often) })
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          // who is interrupted may have been given it just then
          Effect.onInterrupt(restore(taken), () => this.giveBack(name)),
          (certain) => {
            this.held.set(name, { fiber, certain: certain! })
            return Effect.addFinalizer(() => {
              this.held.delete(name)
              return this.giveBack(name)
            })
          }
        )
      )
    })

  /** Keeps the turns that are had, and interrupts whoever has lost one. */
  get keep(): Effect.Effect<never> {
    const renew = Effect.gen({ self: this }, function* () {
      if (this.held.size === 0) return
      const certain = (yield* Clock.currentTimeMillis) + this.lease / 2
      const before = [...this.held]
      const kept = yield* this.outside(this.update(before.map(([name]) => name)))
      const names = new Set(kept.map(({ conversation }) => conversation))
      for (const [name, turn] of before) turn.certain = names.has(name) ? certain : 0
    })
    const lose = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.forEach(
        [...this.held].filter(([, { certain }]) => certain <= now),
        ([name, { fiber }]) => {
          this.held.delete(name)
          fiber.interruptUnsafe()
          return Effect.logWarning(`The turn of the conversation \`${name}\` could not be kept: it is interrupted`)
        },
        { discard: true }
      )
    )
    // twice before a turn is uncertain, and what is lost is seen before it expires
    const step = Effect.andThen(Effect.ignore(Effect.timeout(renew, this.lease / 6)), lose)
    return Effect.forever(Effect.delay(step, this.lease / 6))
  }

  private insert(name: string) {
    const { holder, lease, now, sql, table } = this
    return sql`
      INSERT INTO ${table} (conversation, holder, expires) VALUES (${name}, ${holder}, ${now} + ${lease})
      ON CONFLICT (conversation) DO UPDATE SET holder = ${holder}, expires = ${now} + ${lease}
      WHERE ${table}.expires < ${now} RETURNING conversation`
  }

  private update(names: ReadonlyArray<string>) {
    const { holder, lease, now, sql, table } = this
    return sql<{ readonly conversation: string }>`
      UPDATE ${table} SET expires = ${now} + ${lease}
      WHERE holder = ${holder} AND ${sql.in("conversation", names)} RETURNING conversation`
  }

  private giveBack(name: string): Effect.Effect<void> {
    const { holder, sql, table } = this
    const gone = sql`DELETE FROM ${table} WHERE conversation = ${name} AND holder = ${holder}`
    return Effect.ignore(this.outside(gone)) // what is not given back expires
  }

  /** The time of the database, in milliseconds: the clocks of machines differ. */
  private get now(): Fragment {
    const { sql } = this
    return sql.literal(
      sql.onDialectOrElse({
        pg: () => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
        orElse: () => "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
      })
    )
  }

  /** A turn is had from the moment it is taken, whatever becomes of a transaction around it. */
  private outside<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.updateContext(effect, (context: Context.Context<never>) =>
      Context.omit(this.sql.transactionService)(context)
    )
  }
}
