/**
 * Measures the library against its floors, each sample in a process of its own, and writes RESULTS.md.
 *
 *     npm run bench                        the library and its floors
 *     npm run bench:peers                  S1, S2, S3 and S13 with other agent libraries
 *     npm run bench -- --only S1,S3        some scenarios, whose sections alone are rewritten; S13 means S13.1 to S13.6
 *     npm run bench -- --rounds 3          5 by default, 3 with peers
 *     npm run bench -- --quick             a tenth of the size, one round: prints ratios alone and writes nothing
 */
import { parseArgs } from "node:util"
import * as Chart from "./Chart.ts"
import * as Report from "./Report.ts"
import * as Runner from "./Runner.ts"
import * as Scenarios from "./Scenarios.ts"

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string" },
    peers: { type: "boolean", default: false },
    quick: { type: "boolean", default: false }
  }
})
const rounds = Number(values.rounds ?? (values.quick ? 1 : values.peers ? 3 : 5))
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error(`\`--rounds\` must be a positive integer, got \`${values.rounds}\``)
const given = process.argv.slice(2).filter((arg) => arg !== "--peers")
const command = [`npm run bench${values.peers ? ":peers" : ""}`, ...(given.length > 0 ? ["--", ...given] : [])].join(
  " "
)

const candidates = values.peers ? Scenarios.withPeers : Scenarios.all
const chosen = (name: string) => {
  const found = candidates.filter(({ id }) => id === name || id.startsWith(`${name}.`))
  if (found.length > 0) return found
  throw new Error(`\`--only\` must name ${candidates.map(({ id }) => id).join(", ")}, got \`${name}\``)
}
const scenarios = values.only?.split(",").flatMap(chosen) ?? (values.quick ? Scenarios.quick(candidates) : candidates)
for (const one of scenarios) {
  const scenario = values.quick && !values.peers ? Scenarios.paired(one) : one
  const results = await Runner.run(scenario, { rounds, scale: values.quick ? 0.1 : 1, log: console.error })
  if (values.quick) {
    console.log(Report.ratios(scenario, results))
    continue
  }
  const section = Report.section(scenario, results, { command, rounds, peers: values.peers })
  console.log(section.text)
  Report.write(section)
  Chart.write()
}
