/** Looking after a store: finding what was damaged, and removing what nothing refers to. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type * as Pages from "./pages.ts"
import * as Objects from "./objects.ts"
import { Damage } from "./storeError.ts"
import { FRESH, type ObjectRow, type Ref, ROWS_AT_ONCE, sound, type Tables } from "./tables.ts"

export interface Verified {
  readonly objects: number
  readonly pages: number
  readonly conversations: number
  readonly damaged: ReadonlyArray<{ readonly row: string; readonly problem: string }>
}

/** Checks every row against its key, and that what it refers to is there. */
export const verify = (tables: Tables): Effect.Effect<Verified, SqlError> =>
  Effect.suspend(() => new Verification(tables).run)

class Verification {
  private readonly tables: Tables
  private readonly objects = new Set<string>()
  private readonly pages = new Set<string>()
  /** Whoever refers to a key first. */
  private readonly referred = { objects: new Map<string, string>(), pages: new Map<string, string>() }
  private readonly damaged: Array<Damage> = []

  constructor(tables: Tables) {
    this.tables = tables
  }

  get run(): Effect.Effect<Verified, SqlError> {
    return Effect.gen({ self: this }, function* () {
      const refs = yield* this.tables.refs("")
      for (const ref of refs) yield* this.ref(ref)
      for (const list of yield* this.tables.taken) this.list(list, "log")
      yield* scan(
        (after) => this.tables.someObjects(after),
        (rows) => this.someObjects(rows),
        ({ key }) => key
      )
      yield* scan(
        (after) => this.tables.somePages(after),
        (rows) => Effect.sync(() => this.somePages(rows)),
        ({ hashKey }) => hashKey
      )
      this.missing()
      const damaged = this.damaged.map(({ problem, row }) => ({ row, problem }))
      return { objects: this.objects.size, pages: this.pages.size, conversations: refs.length, damaged }
    })
  }

  private ref(ref: Ref | Damage): Effect.Effect<void, SqlError> {
    if (ref instanceof Damage) return Effect.sync(() => void this.damaged.push(ref))
    this.list(ref.list, `conversations ${ref.name}`)
    return Effect.map(this.tables.entries(ref.id), (entries) => {
      for (const entry of entries) if (entry instanceof Damage) this.damaged.push(entry)
    })
  }

  private list({ page, rest }: Pages.List, by: string): void {
    this.refer({ keys: rest, pages: page === undefined ? [] : [page] }, by)
  }

  private refer({ keys, pages }: Objects.Inside, by: string): void {
    for (const key of keys) if (!this.referred.objects.has(key)) this.referred.objects.set(key, by)
    for (const key of pages) if (!this.referred.pages.has(key)) this.referred.pages.set(key, by)
  }

  private someObjects(rows: ReadonlyArray<ObjectRow>): Effect.Effect<void, SqlError> {
    return Effect.map(Objects.partsFor(this.tables, rows), (parts) => {
      for (const row of rows) {
        this.objects.add(row.key)
        const wrong = Objects.wrongObject(row, parts) ?? Objects.wrongTag(row)
        if (wrong === undefined) this.refer(Objects.inside(row), `objects ${row.key}`)
        else this.damaged.push(wrong)
      }
    })
  }

  private somePages(pages: ReadonlyArray<Pages.Page>): void {
    for (const page of pages) {
      this.pages.add(page.hashKey)
      const wrong = Objects.wrongPage(page)
      if (wrong !== undefined) this.damaged.push(wrong)
      else this.list({ page: page.before, rest: page.items, length: 0 }, `pages ${page.hashKey}`)
    }
  }

  private missing(): void {
    const lost = (table: string, key: string, by: string) => {
      const problem = `is missing, which \`${by}\` refers to`
      this.damaged.push(new Damage({ reason: "damaged", row: `${table} ${key}`, problem }))
    }
    for (const [key, by] of this.referred.pages) if (!this.pages.has(key)) lost("pages", key, by)
    for (const [key, by] of this.referred.objects) {
      if (!this.objects.has(key) && !this.pages.has(key)) lost("objects", key, by)
    }
  }
}

const scan = <A>(
  some: (after: string) => Effect.Effect<ReadonlyArray<A>, SqlError>,
  see: (rows: ReadonlyArray<A>) => Effect.Effect<void, SqlError>,
  keyOf: (row: A) => string
): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    for (let after = ""; ;) {
      const rows = yield* some(after)
      yield* see(rows)
      const last = rows.at(-1)
      if (last === undefined) return
      after = keyOf(last)
    }
  })

export interface Collected {
  readonly kept: number
  readonly removed: number
}

/**
 * Removes what nothing refers to and nobody put for `grace` milliseconds. Rows that are put again are as fresh as new
 * ones, and that is looked at once more when they are removed: whoever puts a message and refers to it within the grace
 * period never loses it, whatever is collected meanwhile.
 */
export const collect = (
  tables: Tables,
  options: { readonly grace: number; readonly forget: number | undefined; readonly roots: ReadonlyArray<string> }
): Effect.Effect<Collected, SqlError | Damage> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const before = now - options.grace - FRESH
    if (options.forget !== undefined) yield* tables.forget(now - options.forget)
    const marked = new Marking(tables)
    // conversations first: what is taken from one afterwards is in the log
    const refs = yield* Effect.flatMap(tables.refs(""), Effect.forEach(sound))
    yield* marked.mark([...refs.map(({ list }) => list), ...(yield* tables.taken)], options.roots)
    let removed = 0
    for (const table of ["objects", "pages"] as const) {
      const old = (yield* tables.oldKeys(table, before)).filter((key) => !marked[table].has(key))
      removed += yield* tables.removeOld(table, old, before)
    }
    return { kept: marked.objects.size, removed }
  })

/** All that can be reached. What a damaged row referred to is not known, so there is no end to this but its name. */
class Marking {
  readonly objects = new Set<string>()
  readonly pages = new Set<string>()
  private readonly tables: Tables
  private pending = new Set<string>()

  constructor(tables: Tables) {
    this.tables = tables
  }

  mark(lists: ReadonlyArray<Pages.List>, roots: ReadonlyArray<string>): Effect.Effect<void, SqlError | Damage> {
    return Effect.gen({ self: this }, function* () {
      for (const { page, rest } of lists) {
        this.want(rest)
        if (page !== undefined) yield* this.chain(page)
      }
      this.want(roots)
      while (this.pending.size > 0) {
        const keys = [...this.pending].slice(0, ROWS_AT_ONCE)
        for (const key of keys) this.pending.delete(key)
        const rows = yield* this.tables.objects(keys)
        const parts = yield* Objects.partsFor(this.tables, rows)
        const found = new Set(rows.map(({ key }) => key))
        for (const key of keys) if (!found.has(key)) yield* this.chain(key) // a page that was put as a message
        for (const row of rows) {
          const wrong = Objects.wrongObject(row, parts)
          if (wrong !== undefined) return yield* wrong
          const inside = Objects.inside(row)
          this.want(inside.keys)
          for (const page of inside.pages) yield* this.chain(page)
        }
      }
    })
  }

  private want(keys: ReadonlyArray<string>): void {
    for (const key of keys) {
      if (this.objects.has(key)) continue
      this.objects.add(key)
      this.pending.add(key)
    }
  }

  /** Pages that lie before one that is marked are marked, too. */
  private chain(last: string): Effect.Effect<void, SqlError | Damage> {
    if (this.pages.has(last)) return Effect.void
    return Effect.gen({ self: this }, function* () {
      const known = (yield* this.tables.pageKeys(last)).find(([key]) => this.pages.has(key))
      for (const page of yield* Objects.chainOf(this.tables, last, known?.[1] ?? 0)) {
        this.pages.add(page.hashKey)
        this.want(page.items)
      }
    })
  }
}
