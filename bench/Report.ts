/** Tables of results, and the file that keeps them: one section for each scenario, replaced when it is measured again. */
import * as fs from "node:fs"
import * as os from "node:os"
import { peers } from "./peers/index.ts"
import type { Failure, Result, Scenario } from "./Scenario.ts"
import type { Summary } from "./Statistics.ts"
import * as Targets from "./Targets.ts"

export interface Section {
  readonly key: string
  readonly text: string
}

const number = (value: number): string =>
  value === 0
    ? "0"
    : value < 10
      ? value.toFixed(2)
      : value < 100
        ? value.toFixed(1)
        : Math.round(value).toLocaleString("en")

const time = (ms: number): string =>
  ms < 0.001
    ? `${number(ms * 1e6)} ns`
    : ms < 1
      ? `${number(ms * 1000)} µs`
      : ms < 10_000
        ? `${number(ms)} ms`
        : `${number(ms / 1000)} s`

const spread = ({ max, min }: Summary): string => `${time(min)} .. ${time(max)}`

const version = (name: string, under: string): string => {
  const file = new URL(`${under}/node_modules/${name}/package.json`, import.meta.url)
  const { name: real, version } = JSON.parse(fs.readFileSync(file, "utf8"))
  return `${real} ${version}`
}

const versions = (withPeers: boolean): string =>
  [
    `Node ${process.versions.node}`,
    version("effect", ".."),
    ...(withPeers ? peers.flatMap(({ packages }) => packages.map((name) => version(name, "peers"))) : [])
  ].join(", ")

const row =
  (scenario: Scenario, results: ReadonlyArray<Result>, facts: ReadonlyArray<string>) => (result: Result | Failure) => {
    const { name, size } = result.contestant
    if ("why" in result) return [name, result.why]
    const floor = Targets.named(results, result.contestant.floor ?? scenario.contestants[0]!.name)
    const peer = Targets.fastestPeer(results)
    return [
      size === undefined ? name : `${name} (scaled up from ${size.toLocaleString("en")})`,
      time(result.ms.median),
      spread(result.ms),
      time(result.ms.median / scenario.size),
      floor === undefined ? "" : `${number(result.ms.median / floor.ms.median)} ×`,
      ...(peer === undefined ? [] : [`${number(peer.ms.median / result.ms.median)} ×`]),
      `${number(result.peak.median)} MB`,
      ...facts.map((fact) => (fact in result.facts ? number(result.facts[fact]!.median) : ""))
    ]
  }

const table = (scenario: Scenario, all: ReadonlyArray<Result | Failure>): string => {
  const results = all.filter((one) => "ms" in one)
  const facts = [...new Set(results.flatMap((result) => Object.keys(result.facts)))]
  const peer = Targets.fastestPeer(results) === undefined ? [] : ["speed to fastest peer"]
  const clock = scenario.clock ?? "median"
  const head = ["", clock, "min .. max", `per ${scenario.unit}`, "time to floor", ...peer, "peak memory", ...facts]
  const rows = all.map(row(scenario, results, facts))
  return [head, head.map((_, i) => (i === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${head.map((_, i) => cells[i] ?? "").join(" | ")} |`)
    .join("\n")
}

export const section = (
  scenario: Scenario,
  all: ReadonlyArray<Result | Failure>,
  options: { readonly command: string; readonly rounds: number; readonly peers: boolean }
): Section => {
  const results = all.filter((one) => "ms" in one)
  const verdicts = scenario.targets.flatMap((target) => target(results) ?? [])
  const text = [
    `## ${scenario.id}: ${scenario.title}${options.peers ? " (with peers)" : ""}`,
    table(scenario, all),
    verdicts.map(({ met, text }) => `- ${met ? "met" : "**missed**"}: ${text}`).join("\n"),
    `\`${options.command}\`, ${new Date().toISOString().slice(0, 10)}, ${options.rounds} round${options.rounds === 1 ? "" : "s"}, ${os.availableParallelism()} cores, ${versions(options.peers)}`
  ]
  return {
    key: `${scenario.id}${options.peers ? " peers" : ""}`,
    text: text.filter((part) => part !== "").join("\n\n")
  }
}

/** A line for each contestant that is compared with another: how many times what that takes. */
export const ratios = (scenario: Scenario, all: ReadonlyArray<Result | Failure>): string => {
  const results = all.filter((one) => "ms" in one)
  return all
    .flatMap((result) => {
      const { contestant } = result
      if ("why" in result) return [`${scenario.id}  ${contestant.name}: ${result.why}`]
      const floor = Targets.named(results, contestant.floor ?? scenario.contestants[0]!.name)
      if (floor === undefined || floor === result) return []
      const ratio = number(result.ms.median / floor.ms.median)
      return [`${scenario.id.padEnd(5)}  ${ratio.padStart(5)} ×  ${contestant.name}, to "${floor.contestant.name}"`]
    })
    .join("\n")
}

export const file: URL = new URL("RESULTS.md", import.meta.url)
const begin = (key: string) => `<!-- ${key} -->\n`
const end = "<!-- end -->\n"

const empty = `# Results

Made by \`npm run bench\` and \`npm run bench:peers\`: each section says by which, when, and on what. One process for each
sample, in interleaved rounds; a process first checks the count and order of what it reads at a small size, and checks
again at full size. "time to floor" is the median as a multiple of the floor's, so small is good; "speed to fastest
peer" is how many times as fast as the fastest other agent library, so large is good.

S1 to S8, S11 and S12 run on models that are made up in the process: they show what the library adds, and nothing of what
a model costs. S13 is end to end: real requests of the official SDKs over HTTP to a server on the loopback interface, in
a process of its own, which sends bytes that it has ready; nothing of it is counted. Its time is the CPU time of the
client, of all threads, and its floor is the SDK's own loop. Peers use their own clients of the same protocols.

The JavaScript of the sources is kept from run to run (Node's compile cache), since a published package has no types to strip.

${begin("summary")}${end}`

/** Which targets the sections of the file meet. */
const summary = (text: string): string => {
  const verdicts = (section: string, what: string): number => section.split(`\n- ${what}: `).length - 1
  const rows = text.split(end).flatMap((section) => {
    const title = /^## (.*)$/m.exec(section)?.[1]
    if (title === undefined) return []
    return [`| ${title} | ${verdicts(section, "met")} | ${verdicts(section, "**missed**") || ""} |`]
  })
  return ["| scenario | targets met | missed |", "| --- | ---: | ---: |", ...rows].join("\n")
}

/** Puts a block in the place of its older self, or after the last one; what else the text holds stays. */
const replace = (text: string, key: string, block: string): string => {
  const at = text.indexOf(begin(key))
  const whole = `${begin(key)}\n${block}\n\n${end}`
  if (at < 0) {
    const last = text.lastIndexOf(end) + end.length
    return `${text.slice(0, last)}\n${whole}${text.slice(last)}`
  }
  return text.slice(0, at) + whole + text.slice(text.indexOf(end, at) + end.length)
}

/** Writes a section into the file, and the summary anew. */
export const write = ({ key, text }: Section): void => {
  const old = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : empty
  const sections = replace(old, key, text)
  fs.writeFileSync(file, replace(sections, "summary", summary(sections)))
}
