/** The rows of a store that lives as long as the program does. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as Pages from "./pages.ts"
import type * as Rows from "./tables.ts"

interface Timed<A> {
  readonly row: A
  readonly at: number
}

export const make: Effect.Effect<Rows.Tables> = Effect.sync(() => new MemoryTables())

class MemoryTables implements Rows.Tables {
  readonly name = "memory"
  readonly sql = undefined
  private readonly turn = Semaphore.makeUnsafe(1)
  private readonly rows = {
    objects: new Map<string, Timed<Rows.ObjectRow>>(),
    pages: new Map<string, Timed<Pages.Page>>()
  }
  private readonly conversations = new Map<string, Rows.Ref>()
  private readonly logs = new Map<number, Array<Rows.Entry>>()
  private ids = 0

  readonly inTransaction = Effect.succeed(false)

  /** What is done in one is done in one step each, and what can fail comes first: nothing has to be undone. */
  transaction<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptible(this.turn.withPermit(effect))
  }

  putObjects(rows: ReadonlyArray<Rows.ObjectRow>, at: number): Effect.Effect<void> {
    return Effect.sync(() => put(this.rows.objects, rows, ({ key }) => key, at))
  }

  putPages(rows: ReadonlyArray<Pages.Page>, at: number): Effect.Effect<void> {
    return Effect.sync(() => put(this.rows.pages, rows, ({ hashKey }) => hashKey, at))
  }

  objects(keys: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Rows.ObjectRow>> {
    return Effect.sync(() => keys.flatMap((key) => this.rows.objects.get(key)?.row ?? []))
  }

  pages(last: string, from: number): Effect.Effect<ReadonlyArray<Pages.Page>> {
    return Effect.sync(() => this.chain(last, from))
  }

  pageKeys(last: string): Effect.Effect<ReadonlyArray<readonly [string, number]>> {
    return Effect.sync(() => this.chain(last, 0).map(({ hashKey, length }) => [hashKey, length] as const))
  }

  private chain(last: string, from: number): ReadonlyArray<Pages.Page> {
    const found: Array<Pages.Page> = []
    for (let key: string | undefined = last; key !== undefined;) {
      const page: Pages.Page | undefined = this.rows.pages.get(key)?.row
      if (page === undefined) break
      found.push(page)
      key = page.length - page.items.length > from ? page.before : undefined
    }
    return found
  }

  someObjects(after: string): Effect.Effect<ReadonlyArray<Rows.ObjectRow>> {
    return Effect.sync(() => (after === "" ? [...this.rows.objects.values()].map(({ row }) => row) : []))
  }

  somePages(after: string): Effect.Effect<ReadonlyArray<Pages.Page>> {
    return Effect.sync(() => (after === "" ? [...this.rows.pages.values()].map(({ row }) => row) : []))
  }

  oldKeys(table: "objects" | "pages", before: number): Effect.Effect<ReadonlyArray<string>> {
    return Effect.sync(() => [...this.rows[table]].flatMap(([key, { at }]) => (at < before ? [key] : [])))
  }

  removeOld(table: "objects" | "pages", keys: ReadonlyArray<string>, before: number): Effect.Effect<number> {
    return Effect.sync(() => {
      const rows = this.rows[table]
      return keys.filter((key) => (rows.get(key)?.at ?? before) < before && rows.delete(key)).length
    })
  }

  ref(name: string): Effect.Effect<Rows.Ref | undefined> {
    return Effect.sync(() => this.conversations.get(name))
  }

  refs(prefix: string): Effect.Effect<ReadonlyArray<Rows.Ref>> {
    return Effect.sync(() => [...this.conversations.values()].filter(({ name }) => name.startsWith(prefix)))
  }

  addRef(ref: Omit<Rows.Ref, "id">): Effect.Effect<number | undefined> {
    return Effect.sync(() => {
      if (this.conversations.has(ref.name)) return undefined
      const id = ++this.ids
      this.conversations.set(ref.name, { ...ref, id })
      return id
    })
  }

  setRef(ref: Rows.Ref): Effect.Effect<boolean> {
    return Effect.sync(() => {
      if (this.conversations.get(ref.name)?.version !== ref.version - 1) return false
      this.conversations.set(ref.name, ref)
      return true
    })
  }

  removeRef(id: number): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const { id: other, name } of this.conversations.values()) if (other === id) this.conversations.delete(name)
      this.logs.delete(id)
    })
  }

  addEntry(ref: number, entry: Rows.Entry): Effect.Effect<void> {
    return Effect.sync(() => {
      const log = this.logs.get(ref)
      if (log === undefined) this.logs.set(ref, [entry])
      else log.push(entry)
    })
  }

  entries(ref: number): Effect.Effect<ReadonlyArray<Rows.Entry>> {
    return Effect.sync(() => [...(this.logs.get(ref) ?? [])])
  }

  lastTaken(ref: number): Effect.Effect<Rows.Entry | undefined> {
    return Effect.sync(() => this.logs.get(ref)?.findLast(({ before }) => before !== undefined))
  }

  readonly taken: Effect.Effect<ReadonlyArray<Pages.List>> = Effect.sync(() =>
    [...this.logs.values()].flat().flatMap(({ before }) => before ?? [])
  )

  forget(time: number): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const log of this.logs.values()) {
        for (const [i, entry] of log.entries()) if (entry.at < time) log[i] = { ...entry, before: undefined }
      }
    })
  }
}

const put = <A>(rows: Map<string, Timed<A>>, added: ReadonlyArray<A>, keyOf: (row: A) => string, at: number): void => {
  for (const row of added) rows.set(keyOf(row), { row: rows.get(keyOf(row))?.row ?? row, at })
}
