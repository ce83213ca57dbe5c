/**
 * Lists of keys that share their beginnings. A list is cut into pages of 32 keys, counted from its start; each page has
 * the key of the one before it, so that one key stands for all of a list up to there. What does not fill a page is kept
 * beside that key: to append costs one page for every 32 keys, and two lists that begin the same have the same pages.
 *
 * Invariants:
 * 1. A page has exactly 32 keys, and its `length` is 32 more than that of the page before it.
 * 2. The `rest` of a list is shorter than a page, and its `length` is that of its page and of the rest.
 * 3. The key of a page is the hash key of the message `Page` that has it (`Message.Page`).
 */
import type * as Schema from "effect/Schema"
import * as Json from "../internal/json.ts"
import { onPages, pageSize as SIZE } from "../internal/references.ts"

export { onPages, SIZE }

/** A full page: its keys, the page before it, and how many keys there are up to its end. */
export interface Page {
  readonly hashKey: string
  readonly before: string | undefined
  readonly items: ReadonlyArray<string>
  readonly length: number
}

/** A list: its last full page, the keys after it, and how many keys it has in all. */
export interface List {
  readonly page: string | undefined
  readonly rest: ReadonlyArray<string>
  readonly length: number
}

export const empty: List = { page: undefined, rest: [], length: 0 }

/** What a page is as a message: the JSON that it is hashed over. */
export const toJson = ({ before, items, length }: Omit<Page, "hashKey">): Schema.JsonObject => ({
  _tag: "Page",
  ...(before === undefined ? {} : { before__hash_key: before }),
  items__hash_keys: items,
  length,
  metadata: {}
})

/** The hash key of a page: the sha256 of the canonical spelling of its JSON, which keys spell themselves. */
export const hashKey = ({ before, items, length }: Omit<Page, "hashKey">): string => {
  const start = before === undefined ? "" : `"before__hash_key":"${before}",`
  return Json.sha(
    `{"_tag":"Page",${start}"items__hash_keys":["${items.join('","')}"],"length":${length},"metadata":{}}`
  )
}

/** The list with more keys at its end, and the pages that became full. */
export const append = (
  list: List,
  keys: ReadonlyArray<string>
): { readonly list: List; readonly pages: ReadonlyArray<Page> } => {
  const all = [...list.rest, ...keys]
  const pages: Array<Page> = []
  let before = list.page
  let length = onPages(list.length)
  let start = 0
  for (; start + SIZE <= all.length; start += SIZE) {
    const page = { before, items: all.slice(start, start + SIZE), length: (length += SIZE) }
    before = hashKey(page)
    pages.push({ ...page, hashKey: before })
  }
  return { list: { page: before, rest: all.slice(start), length: list.length + keys.length }, pages }
}

/** The keys of a list from a position on; no page that ends before that position is asked for. */
export const from = (list: List, position: number, find: (hashKey: string) => Page): ReadonlyArray<string> => {
  const parts = [list.rest]
  let start = onPages(list.length)
  for (let { page } = list; page !== undefined && start > position; start -= SIZE) {
    const { before, items } = find(page)
    parts.push(items)
    page = before
  }
  return parts
    .reverse()
    .flat()
    .slice(Math.max(0, position - start))
}

/** The beginning of a list that has `length` keys. */
export const prefix = (list: List, length: number, find: (hashKey: string) => Page): List => {
  if (length >= list.length) return list
  let { page, rest } = list
  for (let start = onPages(list.length); page !== undefined && start > length; start -= SIZE) {
    const found = find(page)
    page = found.before
    rest = found.items
  }
  return { page, rest: rest.slice(0, length % SIZE), length }
}
