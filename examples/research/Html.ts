/** What a page of the web says, as Markdown: its main part, without what is there to move about or to be looked at. */
import type { Element, ElementContent, Root, RootContent } from "hast"
import { fromHtml } from "hast-util-from-html"
import { type Handle, toMdast } from "hast-util-to-mdast"
import { toMarkdown as write } from "mdast-util-to-markdown"

/** The title of a page, and its text in Markdown with one sentence a line. Links are their text, images are left out. */
export const toMarkdown = (html: string): { readonly title: string; readonly markdown: string } => {
  const page = fromHtml(html)
  const [head] = find(page, (element) => element.tagName === "title")
  const title = (head?.children ?? []).map(textOf).join("").trim()
  const tree: Root = { type: "root", children: [...withoutClutter(mainOf(page))] }
  const markdown = write(toMdast(tree, { handlers }), { bullet: "-", fences: true, rule: "-", emphasis: "_" })
  return { title: title.replace(/\s+/g, " "), markdown: readable(markdown) }
}

type Parent = Element | Root

const find = (parent: Parent, matches: (element: Element) => boolean): ReadonlyArray<Element> =>
  parent.children.flatMap((node) => (node.type !== "element" ? [] : matches(node) ? [node] : find(node, matches)))

const textOf = (node: RootContent | undefined): string => {
  if (node === undefined) return ""
  if (node.type === "text") return node.value
  return node.type === "element" && !clutter.has(node.tagName) ? node.children.map(textOf).join(" ") : ""
}

const roleOf = (element: Element): string => String(element.properties["role"] ?? "")

/** The longest part that says of itself that it is the main one, if it has a fair share of the text. */
const mainOf = (page: Root): Parent => {
  const marked = find(page, (element) => ["article", "main"].includes(element.tagName) || roleOf(element) === "main")
  const longest = marked
    .map((element) => ({ element, length: textOf(element).length }))
    .reduce((a, b) => (b.length > a.length ? b : a), { element: undefined as Element | undefined, length: 0 })
  const all = page.children.map(textOf).join(" ").length
  return longest.element !== undefined && longest.length >= all * fairShare ? longest.element : page
}

const fairShare = 0.2

const clutter = new Set(
  `aside audio button canvas dialog embed footer form frame head iframe img input math menu nav noscript object option
  picture script search select style svg template textarea title video`.split(/\s+/)
)
const clutterRoles = new Set(["banner", "complementary", "contentinfo", "dialog", "navigation", "search"])

const withoutClutter = (parent: Parent): ReadonlyArray<ElementContent> =>
  parent.children.flatMap((node): ReadonlyArray<ElementContent> => {
    if (node.type === "text") return [node]
    if (node.type !== "element" || isClutter(node)) return []
    return [{ ...node, children: [...withoutClutter(node)] }]
  })

/** What is hidden from people is not shown to a model either. */
const isClutter = (element: Element): boolean => {
  const { ariaHidden, hidden, style } = element.properties
  return (
    clutter.has(element.tagName) ||
    clutterRoles.has(roleOf(element)) ||
    (hidden !== undefined && hidden !== null && hidden !== false) ||
    ariaHidden === "true" ||
    /display\s*:\s*none|visibility\s*:\s*hidden/i.test(String(style ?? ""))
  )
}

/** The text of a link, and each row of a table as a paragraph. */
const handlers: Record<string, Handle> = {
  a: (state, node) => state.all(node),
  del: (state, node) => state.all(node),
  s: (state, node) => state.all(node),
  table: (state, node) =>
    find(node, (element) => element.tagName === "tr").map((row) => {
      const cells = find(row, (element) => ["td", "th"].includes(element.tagName))
      const value = cells.map((cell) => textOf(cell).replace(/\s+/g, " ").trim()).join(" | ")
      return { type: "paragraph", children: [{ type: "text", value }] }
    })
}

/** It is read and not parsed again: outside of code no escapes, and a line for each sentence. */
const readable = (markdown: string): string => {
  let fenced = false
  return markdown
    .split("\n")
    .map((line) => {
      if (/^\s*(?:`{3,}|~{3,})/.test(line)) fenced = !fenced
      if (fenced || line.startsWith("    ")) return line
      return line
        .replace(/(`+)[^`]*\1|\\([!-/:-@[-`{-~])/g, (part, _, escaped: string | undefined) => escaped ?? part)
        .replace(sentenceEnd, "$1\n")
    })
    .join("\n")
}

const sentenceEnd = /(?<!\b(?:e\.g|i\.e|etc|vs|cf|Dr|Mr|Ms|Mrs|No))([.!?]["'’”)\]]?) +(?=[\p{Lu}\p{N}"'“(])/gu
