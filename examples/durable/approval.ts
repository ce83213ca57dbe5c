/**
 * An agent asks a person before it pays money back, and its process is killed while it waits. The person answers with the
 * command `miniagents runs signal`, and a new process goes on: neither the model nor the person is asked twice.
 *
 * Run: node --conditions=miniagents-source examples/durable/approval.ts
 *
 * Prints:
 *   the first process waits for approval:Clerk/call-1, and is killed
 *   $ miniagents runs signal refund-1 approval:Clerk/call-1 {"approved":true} --store runs.db
 *   the second process:
 *   40 is paid back for order A-7
 *   Your money is on its way.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Option, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { MiniAgents } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { LlmAgent } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { SqliteClient } from "miniagents/sqlite"
import { Store } from "miniagents/store"
import { ScriptedModel } from "miniagents/testing"

const parameters = Schema.Struct({ order: Schema.String, amount: Schema.Int })
const tools = Toolkit.make(Tool.make("Refund", { parameters, success: Schema.String, needsApproval: true }))
const handlers = tools.toLayer({
  Refund: ({ amount, order }) => Effect.as(Console.log(`${amount} is paid back for order ${order}`), "paid back")
})
const clerk = LlmAgent.make("Clerk", { toolkit: Durable.toolkit(Effect.provide(tools, handlers)) })

/** In the place of a real model. The first answer is in the journal when the second process begins. */
const model = (isFirst: boolean) =>
  ScriptedModel.layer([
    isFirst
      ? ScriptedModel.turn(ScriptedModel.toolCall("Refund", { order: "A-7", amount: 40 }))
      : ScriptedModel.turn(ScriptedModel.text("Your money is on its way."))
  ])

const kept = (store: string) => Layer.provide(Store.layer(), SqliteClient.layer({ filename: store }))
const runs = (store: string) => DurableRuns.layer({ lease: "1 second" }).pipe(Layer.provide(kept(store)))

/** Each of the two processes does this: it starts the run of that id, or goes on with it. */
const work = (store: string, isFirst: boolean) =>
  Effect.gen(function* () {
    const run = yield* Runs.start(clerk, "Order A-7 arrived broken", {}, { id: "refund-1" })
    yield* Console.log(yield* (yield* run.replies).text)
  }).pipe(Effect.provide([Durable.model(model(isFirst)), MiniAgents.layer(), runs(store)]))

/** What the run waits for, as any process sees it that has the store. */
const waiting = Effect.andThen(Effect.sleep("100 millis"), Effect.option(Runs.get("refund-1"))).pipe(
  Effect.map(Option.match({ onNone: () => [], onSome: ({ waiting }) => waiting })),
  Effect.repeat({ until: (names) => names.length > 0 })
)

const node = (file: string, words: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [...process.execArgv, "--no-warnings", file, ...words])),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** What a program prints until it ends. */
const output = Effect.fnUntraced(function* (file: string, words: ReadonlyArray<string>) {
  const child = yield* node(file, words)
  child.stderr.pipe(process.stderr)
  return yield* Effect.callback<string>((resume) => {
    let text = ""
    child.stdout.on("data", (data) => (text += String(data)))
    child.on("close", () => resume(Effect.succeed(text.trim())))
  })
})

const here = fileURLToPath(import.meta.url)
const command = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

export const program = Effect.gen(function* () {
  const folder = mkdtempSync(join(tmpdir(), "miniagents-approval-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
  const store = join(folder, "runs.db")

  const first = yield* node(here, [store, "first"])
  const [signal = ""] = yield* Effect.provide(waiting, runs(store))
  yield* Console.log(`the first process waits for ${signal}, and is killed`)
  first.kill("SIGKILL")

  const answer = ["runs", "signal", "refund-1", signal, `{"approved":true}`, "--store"]
  yield* Console.log(`$ miniagents ${answer.join(" ")} runs.db`)
  yield* output(command, [...answer, store])

  yield* Console.log(`the second process:\n${yield* output(here, [store, "second"])}`)
}).pipe(Effect.scoped, Effect.orDie)

const [, , store, life] = process.argv
if (import.meta.main) NodeRuntime.runMain(store === undefined ? program : work(store, life === "first"))
