/** The pages of lists of messages, made of a list that is there as a whole. */
import type { Message, Page } from "../Message.ts"
import * as Json from "./json.ts"
import * as Pages from "./pages.ts"

/** Makes the last full page of a list; it lives as long as the list does. */
export const maker = (create: (fields: object) => Page) => {
  const lastPages = new WeakMap<ReadonlyArray<Message>, Page>()
  return (list: ReadonlyArray<Message>): Page => {
    let page: Page | undefined = lastPages.get(list)
    if (page !== undefined) return page
    for (let end = Pages.SIZE; end <= list.length; end += Pages.SIZE) {
      const items = Object.freeze(list.slice(end - Pages.SIZE, end))
      page = create({ ...(page && { before: page }), items, length: end })
    }
    lastPages.set(list, page!)
    return page!
  }
}

/** A list that grows has its first pages anew in every message, so their keys are remembered, by the last of its items. */
export const keyOf = (page: Page, last: Message, serialize: (page: Page) => unknown): string => {
  const before = page.before?.hashKey
  const items = page.items.map(({ hashKey }) => hashKey)
  const known = pageKeys.get(last)
  if (known?.before === before && known?.items.every((key, i) => key === items[i])) return known.hashKey
  const hashKey = Json.hash(serialize(page) as never)
  pageKeys.set(last, { before, items, hashKey })
  return hashKey
}
const pageKeys = new WeakMap<Message, Pick<Pages.Page, "before" | "items" | "hashKey">>()
