/** Runs the contestants of a scenario, each sample in a process of its own, in interleaved rounds. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Contestant, Failure, Result, Scenario } from "./Scenario.ts"
import * as Statistics from "./Statistics.ts"
import * as Temporary from "./Temporary.ts"

interface Sample {
  readonly ms: number
  readonly peak: number
  readonly facts: Readonly<Record<string, number>>
}

const flags = ["--conditions=miniagents-source", "--expose-gc", "--disable-warning=ExperimentalWarning"]

/**
 * Tracing and telemetry of the peers are off. Without the first line LangChain loses tokens of concurrent runs. The
 * sources are TypeScript here and JavaScript when published: their JavaScript is kept, since making it takes 30 MB.
 */
const environment = {
  ...process.env,
  LANGCHAIN_CALLBACKS_BACKGROUND: "false",
  LANGCHAIN_TRACING_V2: "false",
  LANGSMITH_TRACING: "false",
  MASTRA_TELEMETRY_DISABLED: "true",
  NODE_COMPILE_CACHE: fileURLToPath(import.meta.resolve("./.tmp/compiled")),
  OPENAI_AGENTS_DISABLE_TRACING: "1",
  OTEL_SDK_DISABLED: "true"
}

const sample = (scenario: Scenario, contestant: Contestant, scale: number): Promise<Sample | string> =>
  new Promise((resolve) => {
    const size = Math.ceil((contestant.size ?? scenario.size) * scale)
    const gate = Math.min(scenario.gate, size)
    const child = spawn(
      process.execPath,
      [...flags, fileURLToPath(import.meta.resolve("./Child.ts")), scenario.id, contestant.name, `${gate}`, `${size}`],
      { stdio: ["ignore", "ignore", "pipe", "ipc"], env: environment }
    )
    let errors = ""
    const timer = setTimeout(() => {
      resolve(`not done after ${scenario.patience} s`)
      child.kill("SIGKILL")
    }, scenario.patience * 1000)
    child.stderr!.on("data", (text) => (errors = (errors + text).slice(-10_000)))
    child.on("message", (message) => {
      const { ms, ...rest } = message as Sample
      resolve({ ...rest, ms: (ms * scenario.size) / size })
    })
    child.on("close", (code) => {
      clearTimeout(timer)
      resolve(explain(errors) ?? `ended with status ${code}`)
    })
  })

/** The line of a stack trace that says what went wrong, without the paths of this machine. */
const explain = (errors: string): string | undefined => {
  const lines = errors.replaceAll(Temporary.root, "").replaceAll("file://", "").split("\n")
  const text = lines.flatMap((line) => /^\s*(?:\[cause\]: )?\w*Error(?: \[\w+\])?: (.*)/.exec(line)?.[1] ?? [])[0]
  if (text === undefined) return errors.includes("heap out of memory") ? "failed: out of memory" : undefined
  return text.startsWith("not measured") ? text : `failed: ${text.slice(0, 200)}`
}

/** Runs `rounds` samples of each contestant (A B C A B C ...). Who fails once is out. */
export const run = async (
  scenario: Scenario,
  options: { readonly rounds: number; readonly scale: number; readonly log: (line: string) => void }
): Promise<ReadonlyArray<Result | Failure>> => {
  const samples = new Map<Contestant, Array<Sample>>()
  const failures = new Map<Contestant, string>()
  for (let round = 1; round <= options.rounds; round++) {
    for (const contestant of scenario.contestants) {
      if (failures.has(contestant)) continue
      const got = await sample(scenario, contestant, options.scale)
      options.log(
        `${scenario.id} ${round}/${options.rounds} ${contestant.name}: ${typeof got === "string" ? got : `${got.ms.toFixed(1)} ms`}`
      )
      if (typeof got === "string") failures.set(contestant, got)
      else samples.set(contestant, [...(samples.get(contestant) ?? []), got])
    }
  }
  return scenario.contestants.map((contestant) =>
    failures.has(contestant)
      ? { contestant, why: failures.get(contestant)! }
      : summarize(contestant, samples.get(contestant)!)
  )
}

const summarize = (contestant: Contestant, samples: ReadonlyArray<Sample>): Result => {
  const facts = Object.keys(samples[0]!.facts).map(
    (name) => [name, Statistics.summary(samples.map((sample) => sample.facts[name]!))] as const
  )
  return {
    contestant,
    ms: Statistics.summary(samples.map(({ ms }) => ms)),
    peak: Statistics.summary(samples.map(({ peak }) => peak)),
    facts: Object.fromEntries(facts)
  }
}
