/** Runs one case of one scenario in a process of its own: the gate first, then the clock. Started by Runner.ts. */
import * as Memory from "./Memory.ts"
import * as Scenarios from "./Scenarios.ts"

delete process.env.NODE_COMPILE_CACHE // it is for this process, not for what a scenario starts to measure it

const [id, name, gate, size] = process.argv.slice(2)
const contestant = Scenarios.find(id!, name!)
const guard = contestant.kind === "peer" ? await import("./peers/Guard.ts") : undefined

const run = await contestant.load()
await run(Number(gate))
globalThis.gc?.()
const start = performance.now()
const outcome = await run(Number(size))
const ms = outcome?.ms ?? performance.now() - start
guard?.check()
process.send!({ ms, peak: outcome?.peak ?? Memory.peak(), facts: outcome?.facts ?? {} }, () => process.exit(0))
