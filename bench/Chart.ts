/** The headline rows of S13 as a picture, drawn from RESULTS.md so that both say the same. */
import * as fs from "node:fs"
import { file } from "./Report.ts"

interface Bar {
  readonly name: string
  readonly ratio: number
}

interface Group {
  readonly title: string
  readonly bars: ReadonlyArray<Bar>
}

const picture = new URL("s13.svg", import.meta.url)

const cells = (line: string): ReadonlyArray<string> => line.split("|").map((cell) => cell.trim())

/** The ratios of a section's table: what each contestant took, as a multiple of what the SDK did. */
const barsOf = (section: string): ReadonlyArray<Bar> => {
  const lines = section.split("\n").filter((line) => line.startsWith("|"))
  const column = cells(lines[0] ?? "").indexOf("time to floor")
  return lines.slice(2).flatMap((line) => {
    const row = cells(line)
    const ratio = Number.parseFloat(row[column] ?? "")
    const name = row[1]!.replaceAll("`", "").replace(/ \(scaled up.*/, "")
    return Number.isFinite(ratio) ? [{ name, ratio }] : []
  })
}

/** Sections with peers go before those without. */
const groupsOf = (text: string): ReadonlyArray<Group> => {
  const groups = new Map<string, Group>()
  for (const [, id, title, section] of text.matchAll(/^## (S13\.\d): (.*)\n([^]*?)(?=^## |^<!-- end -->)/gm)) {
    const bars = barsOf(section!)
    if (bars.length > (groups.get(id!)?.bars.length ?? 0)) {
      groups.set(id!, { title: title!.replace(" (with peers)", ""), bars })
    }
  }
  return [...groups.values()]
}

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const [left, width, right, line] = [290, 420, 60, 22]

const draw = (groups: ReadonlyArray<Group>): string => {
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ ratio }) => ratio)))
  const scale = (ratio: number) => (ratio / most) * width
  const parts: Array<string> = []
  let y = 34
  for (const { bars, title } of groups) {
    parts.push(`<text x="12" y="${y + 16}" class="title">${escape(title)}</text>`)
    y += line + 4
    for (const { name, ratio } of bars) {
      const fill = name.startsWith("miniagents") ? "own" : "other"
      parts.push(
        `<text x="${left - 8}" y="${y + 15}" text-anchor="end">${escape(name)}</text>`,
        `<rect x="${left}" y="${y + 3}" width="${scale(ratio).toFixed(1)}" height="${line - 6}" class="${fill}"/>`,
        `<text x="${(left + scale(ratio) + 6).toFixed(1)}" y="${y + 15}">${ratio.toFixed(2)} ×</text>`
      )
      y += line
    }
    y += 12
  }
  const size = `width="${left + width + right}" height="${y}"`
  const style = `text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } .own { fill: #2f6feb } .other { fill: #b8c0cc }`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size}>`,
    `<style>${style}</style>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="12" y="22">CPU time as a multiple of the official SDK's own loop: shorter is better</text>`,
    ...parts,
    "</svg>\n"
  ].join("\n")
}

/** Draws the picture anew. */
export const write = (): void => {
  const groups = groupsOf(fs.readFileSync(file, "utf8"))
  if (groups.length > 0) fs.writeFileSync(picture, draw(groups))
}
