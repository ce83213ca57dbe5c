/** What it costs that runs are kept: calls of models, their replay, and calls that ask nothing of the outside. */
import type * as Durable from "../miniagents/Durable.ts"
import type { Contestant, Result, Scenario, Target } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const memory = "runs in memory"
const sqlite = "miniagents, in SQLite"
const postgres = "miniagents, in Postgres"
const sqliteAgain = "miniagents, in SQLite, taken up again"
const postgresAgain = "miniagents, in Postgres, taken up again"

const contestant = (name: string, kind: Contestant["kind"], way: keyof typeof Durable): Contestant => ({
  name,
  kind,
  load: async () => (await import("../miniagents/Durable.ts"))[way]
})

const fact =
  (name: string) =>
  ({ facts }: Result): number =>
    facts[name]!.median

const calls = 4000
const plain = 20_000

/** How much later the first token comes. */
const firstToken =
  (name: string): Target =>
  (results) => {
    const [a, b] = [Targets.named(results, name), Targets.named(results, memory)]
    if (a === undefined || b === undefined) return undefined
    const more = fact("first token ms")(a) - fact("first token ms")(b)
    return {
      met: more <= 5,
      text: `${name}: the first token ${more.toFixed(2)} ms later than "${memory}" (at most 5 ms)`
    }
  }

const again = (name: string): ReadonlyArray<Target> => [
  Targets.limit(name, "a call", "ms", 0.3, ({ ms }) => ms.median / calls),
  Targets.limit(
    name,
    "the first token of a run of 1,000 calls after",
    "ms",
    50,
    fact("first replayed token ms, of 1,000 calls")
  )
]

export const S18: ReadonlyArray<Scenario> = [
  {
    id: "S18.1",
    title: "4,000 calls of a model, 100 tokens each, in 40 runs at once, and the same again by who takes the runs up",
    unit: "call",
    size: calls,
    gate: 400,
    patience: 60,
    contestants: [
      contestant(memory, "floor", "inMemory"),
      contestant(sqlite, "miniagents", "inSqlite"),
      contestant(postgres, "miniagents", "inPostgres"),
      contestant(sqliteAgain, "miniagents", "againInSqlite"),
      contestant(postgresAgain, "miniagents", "againInPostgres")
    ],
    targets: [
      Targets.more(sqlite, memory, "call", calls, 1000),
      Targets.more(postgres, memory, "call", calls, 1300),
      firstToken(sqlite),
      firstToken(postgres),
      ...again(sqliteAgain),
      ...again(postgresAgain)
    ]
  },
  {
    id: "S18.2",
    title: "20,000 calls of an agent that asks nothing of the outside, one after the other, inside of a run",
    unit: "call",
    size: plain,
    gate: 5000,
    patience: 60,
    contestants: [contestant(memory, "floor", "plainInMemory"), contestant(sqlite, "miniagents", "plainInSqlite")],
    targets: [Targets.more(sqlite, memory, "call", plain, 5)]
  }
]
