/** S14: the texts of a conversation as rows, without anything else. */
import * as fs from "node:fs"
import { DatabaseSync } from "node:sqlite"
import type { Case } from "../Case.ts"
import * as Temporary from "../Temporary.ts"

/** A question and its answer, each unlike all others. */
export const turn = (i: number): readonly [question: string, answer: string] => [
  `Question ${i}: ${"what about this? ".repeat(5)}`,
  `Answer ${i}: ${"that is a long story. ".repeat(15)}`
]

/** Two rows in a transaction for each turn. */
export const inserted: Case = async (size) => {
  const filename = `${Temporary.folder("rows")}/rows.db`
  const database = new DatabaseSync(filename)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = normal")
  database.exec("CREATE TABLE turns (position INTEGER PRIMARY KEY, body TEXT NOT NULL)")
  const [begin, insert, commit] = ["BEGIN", "INSERT INTO turns (body) VALUES (?)", "COMMIT"].map((sql) =>
    database.prepare(sql)
  )
  const start = performance.now()
  for (let i = 0; i < size; i++) {
    begin!.run()
    for (const content of turn(i)) insert!.run(JSON.stringify({ content }))
    commit!.run()
  }
  const ms = performance.now() - start
  const read = performance.now()
  const rows = database.prepare("SELECT body FROM turns ORDER BY position DESC LIMIT 4000").all()
  const messages = rows.map(({ body }) => JSON.parse(String(body)) as { readonly content: string })
  if (messages[0]?.content !== turn(size - 1)[1]) throw new Error("bad rows")
  const facts = { "ms to read 4,000 messages": performance.now() - read }
  database.close()
  const bytes = fs.statSync(filename).size
  return { ms, facts: { "turns/s": (size / ms) * 1000, ...facts, "bytes a message": bytes / (2 * size) } }
}
