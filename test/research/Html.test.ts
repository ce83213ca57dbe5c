import { assert, describe, it } from "@effect/vitest"
import * as Html from "../../examples/research/Html.ts"

const table: ReadonlyArray<readonly [string, string, string]> = [
  [
    "headings and paragraphs, a line for each sentence",
    "<h1>A</h1><p>One. Two <b>three</b>!",
    "# A\n\nOne.\nTwo **three**!\n"
  ],
  ["lists", "<ul><li>a<li>b</ul>", "- a\n- b\n"],
  ["code as it is", "<pre><code class=language-ts>a[1]. B\n*c*</code></pre>", "```ts\na[1]. B\n*c*\n```\n"],
  ["code in a line as it is", "<p>so <code>\\*a_b</code> is", "so `\\*a_b` is\n"],
  ["names without escapes", "<p>snake_case [1] * a", "snake_case [1] * a\n"],
  ["rows of tables", "<table><tr><th>a<th>b<tr><td>1<td>2 c</table>", "a | b\n\n1 | 2 c\n"],
  ["links as their text, no images", "<p><a href=/x>home</a> <img alt=i src=y>!", "home !\n"],
  ["the main part", `<nav>Menu</nav><main><p>${"said ".repeat(9)}</main><p>more`, `${"said ".repeat(9).trim()}\n`],
  [
    "all, if the main part says little",
    `<article>x</article><p>${"said ".repeat(9)}`,
    `x\n\n${"said ".repeat(9).trim()}\n`
  ],
  [
    "nothing that is there to move about",
    "<header>A</header><nav>n</nav><aside>a</aside><form>f</form><footer>f</footer><p>b",
    "A\n\nb\n"
  ],
  [
    "nothing that is hidden",
    "<p hidden>a<p style='display: none'>b<p aria-hidden=true>c<template>d</template><!-- e --><p>f",
    "f\n"
  ],
  ["nothing of scripts and styles", "<script>a()</script><style>b{}</style><p>d<noscript>c</noscript>", "d\n"],
  ["an empty page", "", ""]
]

describe("Html", () => {
  it.each(table)("reads %s", (_, html, markdown) => {
    assert.strictEqual(Html.toMarkdown(html).markdown, markdown)
  })

  it("knows the title of the page", () => {
    assert.strictEqual(Html.toMarkdown("<title> A &amp;\n B </title><p>c").title, "A & B")
  })
})
