/**
 * Kills processes that have durable runs, over SQLite and Postgres, and writes what became of the runs into RESULTS.md.
 *
 *     npm run bench:durable                            1,000 kills
 *     npm run bench:durable -- --kills 100 --seed 7    other programs
 *     npm run bench:durable -- --seconds 200           ends then, with as many kills as there were
 *     npm run bench:durable -- --tokens 600 --moments 6000    longer answers, and longer lives between the kills
 */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import * as Postgres from "../../test/history/Postgres.ts"
import * as Report from "../Report.ts"
import * as Temporary from "../Temporary.ts"
import * as Bundle from "./bundle.ts"
import * as Trial from "./Trial.ts"

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    seconds: { type: "string", default: "Infinity" },
    tokens: { type: "string", default: "60" },
    moments: { type: "string", default: "60" }
  }
})
const wanted = Number(values.kills)
const end = performance.now() + Number(values.seconds) * 1000

const folder = Temporary.folder("durable")
const command = await Bundle.command(folder)
const server = await Postgres.start()

interface Sum {
  programs: number
  kills: number
  askedAgain: number
  underWay: number
  requests: number
  kept: number
  tokens: number
  tokensKept: number
  resets: number
  problems: Array<string>
}

const sums = new Map<string, Sum>()
const add = (name: string, outcome: Trial.Outcome) => {
  const { kills, problems, ...counts } = outcome
  const sum = sums.get(name) ?? {
    ...{ programs: 0, kills: 0, askedAgain: 0, underWay: 0, requests: 0, kept: 0 },
    ...{ tokens: 0, tokensKept: 0, resets: 0, problems: [] }
  }
  sums.set(name, sum)
  sum.programs++
  sum.kills += kills
  for (const key of Object.keys(counts) as Array<keyof typeof counts>) sum[key] += counts[key]
  sum.problems.push(...problems)
}

/** So many tokens are in an answer, more or less; a process lives for so many moments at most. */
const [tokens, moments] = [Number(values.tokens), Number(values.moments)]
let [seed, killed] = [Number(values.seed), 0]
const lane = async (): Promise<void> => {
  while (killed < wanted && performance.now() < end) {
    const mine = seed++
    const partial = mine % 4 < 2 ? "restart" : "continue"
    const where = mine % 2 === 0 ? "SQLite" : "Postgres"
    const database = where === "SQLite" ? `${folder}/${mine}.db` : (server.config as never)
    const options = { seed: mine, kills: 12, partial, database, prefix: `t${mine}_`, command, tokens, moments } as const
    const outcome = await Effect.runPromise(Trial.run(options)).catch((error): Trial.Outcome => ({
      ...{ kills: 0, askedAgain: 0, underWay: 0, requests: 0, kept: 0, tokens: 0, tokensKept: 0, resets: 0 },
      problems: [String(error)]
    }))
    killed += outcome.kills
    for (const problem of outcome.problems) console.error(`seed ${mine}, ${where}, ${partial}: ${problem}`)
    add(`${where}, \`${partial}\``, outcome)
    console.error(`${killed} kills, ${outcome.askedAgain} asked again`)
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, lane))
await server.stop()

const all = [...sums.values()]
const total = (key: Exclude<keyof Sum, "problems">) => all.reduce((sum, one) => sum + one[key], 0)
const problems = all.flatMap(({ problems }) => problems)
const head = [
  "",
  "programs",
  "kills",
  "requests",
  "kept",
  "under way when killed",
  "a kill",
  "tokens more",
  "a kill",
  "resets"
]
const rows = [...sums]
  .toSorted()
  .map(([name, sum]) => [
    ...[name, sum.programs, sum.kills, sum.requests, sum.kept, sum.underWay],
    ...[(sum.underWay / sum.kills).toFixed(1), `${((sum.tokens / sum.tokensKept - 1) * 100).toFixed(0)} %`],
    ...[((sum.tokens - sum.tokensKept) / sum.kills).toFixed(0), sum.resets]
  ])
const verdict = (met: boolean, text: string) => `- ${met ? "met" : "**missed**"}: ${text}`
const text = [
  "## S18 kills: programs of agents whose processes are killed at any moment",
  `Trees of agents with parallel twins, chains, tools, steps, merges, races, timers and waits, made from seeds; each is killed up to 12 times with \`kill -9\`, at moments of the model's server (a request, a token, the end of an answer) or some milliseconds later. A reader in another process reads all the time, and each process has one of its own. At the end each program is run again over its journal, which must ask nothing and say the same. An answer has some ${tokens} tokens, one every 2 ms, and a process lives for ${moments} moments at most.`,
  [head, head.map((_, i) => (i === 0 ? "---" : "---:")), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n"),
  [
    verdict(
      total("askedAgain") === 0,
      `what is kept and was asked again: ${total("askedAgain")} of ${total("kept")}, in ${total("kills")} kills (at most 0)`
    ),
    verdict(
      problems.length === 0,
      `runs that diverged, readers that read something else, reruns that asked or said something else: ${problems.length} (at most 0)`
    )
  ].join("\n"),
  `\`npm run bench:durable -- ${process.argv.slice(2).join(" ")}\`, ${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores, Node ${process.versions.node}`
].join("\n\n")
console.log(text)
Report.write({ key: "S18 kills", text })
