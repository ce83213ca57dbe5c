/** Runs that are kept in a file of SQLite or in Postgres. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import type * as Agent from "../Agent.ts"
import * as Durable from "../durable/Durable.ts"
import * as DurableRuns from "../durable/DurableRuns.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import * as SqliteClient from "../sqlite/SqliteClient.ts"
import * as Store from "../store/Store.ts"
import { type Failed, misuse } from "./failed.ts"

/** What the tables of a store begin with, where nothing else is said. */
export const usualPrefix = "miniagents_"

const isPostgres = (url: string): boolean => /^postgres(ql)?:\/\//.test(url)

/** A file of SQLite: its path, or that as `sqlite:runs.db` or `file:///data/runs.db`. */
const fileOf = (url: string): string => (url.startsWith("file://") ? fileURLToPath(url) : url.replace(/^sqlite:/, ""))

/** A store without the password of who reads it. */
export const nameOf = (url: string): string => (isPostgres(url) ? url.replace(/\/\/[^/@]*@/, "//") : fileOf(url))

const postgres = (url: string): Effect.Effect<Layer.Layer<SqlClient.SqlClient, unknown>, Failed> =>
  Effect.map(
    Effect.tryPromise({
      try: () => import("@effect/sql-pg/PgClient"),
      catch: () => misuse("A store in Postgres needs the package @effect/sql-pg: npm install @effect/sql-pg")
    }),
    (PgClient) => PgClient.layer({ url: Redacted.make(url) })
  )

/** The database itself. */
export const clientOf = (url: string): Layer.Layer<SqlClient.SqlClient, unknown> =>
  isPostgres(url) ? Layer.unwrap(postgres(url)) : SqliteClient.layer({ filename: fileOf(url) })

export const layer = (
  url: string,
  tablePrefix: string = usualPrefix
): Layer.Layer<Runs.Runs | DurableRuns.DurableRuns | Store.Store, unknown> =>
  DurableRuns.layer().pipe(Layer.provideMerge(Store.layer({ tablePrefix })), Layer.provide(clientOf(url)))

/** Fails, and has made and changed nothing, where no runs are kept. */
export const expectRuns = (url: string, tablePrefix: string): Effect.Effect<void, Failed> => {
  const file = fileOf(url)
  if (!isPostgres(url) && !existsSync(file)) return Effect.fail(misuse(`There is no file \`${file}\``))
  const client = isPostgres(url) ? clientOf(url) : SqliteClient.layer({ filename: file, readOnly: true })
  const look = SqlClient.SqlClient.use((sql) => sql`SELECT n FROM ${sql(`${tablePrefix}runs`)} WHERE 1 = 0`)
  return Effect.scoped(Effect.provide(look, client)).pipe(
    Effect.asVoid,
    Effect.mapError((error) => {
      if (typeof error === "object" && error !== null && "isMisuse" in error) return error as Failed
      return misuse(`\`${nameOf(url)}\` is no store of runs, or not one that can be read: ${innermost(error)}`)
    })
  )
}

/** What the database itself says is wrong. */
export const innermost = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error)
  const { cause, message, reason } = error as { readonly [key: string]: unknown }
  const inner = reason ?? cause
  return inner === undefined || inner === null ? String(message) : innermost(inner)
}

/** Goes on with the runs that an earlier server has left; the services of the agents are taken from where it is built. */
export const again = (
  agents: ReadonlyArray<Agent.Agent<{}, unknown, never>>
): Layer.Layer<never, never, DurableRuns.DurableRuns | MiniAgents.MiniAgents> =>
  Layer.effectDiscard(Effect.forEach(agents, (agent) => DurableRuns.serve(agent), { discard: true }))

/** A model whose answers are kept with the runs. */
export const model: <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R> = Durable.model
