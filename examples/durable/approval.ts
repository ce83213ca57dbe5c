/**
 * An agent asks a person before it pays money back, and its process is killed while it waits. The person answers with the
 * command `miniagents runs signal`, and a new process goes on: neither the model nor the person is asked twice.
 *
 * Run: node --conditions=miniagents-source examples/durable/approval.ts
 *
 * Prints:
 *   first process: waits for approval:Clerk/call-1
 *   killed
 *   $ miniagents runs signal refund-1 approval:Clerk/call-1 {"approved":true} --store runs.db
 *   second process: 40 is paid back for order A-7
 *   second process: Your money is on its way.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Schema } from "effect"
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

/** Each of the two processes does this: it starts the run of that id, or goes on with it. */
const work = (store: string, isFirst: boolean) =>
  Effect.gen(function* () {
    const run = yield* Runs.start(clerk, "Order A-7 arrived broken", {}, { id: "refund-1" })
    const waits = Effect.repeat(Effect.andThen(Effect.sleep("50 millis"), Runs.get("refund-1")), {
      until: ({ waiting }) => waiting.length > 0
    })
    if (isFirst) yield* Console.log(`waits for ${(yield* waits).waiting.join()}`)
    yield* Console.log(yield* (yield* run.replies).text)
  }).pipe(
    Effect.provide([
      Durable.model(model(isFirst)),
      MiniAgents.layer(),
      DurableRuns.layer({ lease: "1 second" }).pipe(
        Layer.provide(Store.layer()),
        Layer.provide(SqliteClient.layer({ filename: store }))
      )
    ])
  )

/** Runs a program of Node until it ends, or has said a text and is killed. */
const node = (name: string, file: string, words: ReadonlyArray<string>, killAt?: string) =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const child = spawn(process.execPath, [...process.execArgv, "--no-warnings", file, ...words])
    let said = ""
    child.stdout.on("data", (data) => {
      said += String(data)
      if (killAt !== undefined && said.includes(killAt)) child.kill("SIGKILL")
    })
    child.stderr.pipe(process.stderr)
    child.on("close", () =>
      resume(
        Effect.succeed(
          said
            .trim()
            .split("\n")
            .map((line) => `${name}: ${line}`)
        )
      )
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export const program = Effect.gen(function* () {
  const folder = mkdtempSync(join(tmpdir(), "miniagents-approval-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
  const store = join(folder, "runs.db")
  const [here, command] = [
    fileURLToPath(import.meta.url),
    fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
  ]

  const first = yield* node("first process", here, [store, "first"], "waits for")
  yield* Console.log([...first, "killed"].join("\n"))
  const words = ["runs", "signal", "refund-1", "approval:Clerk/call-1", `{"approved":true}`, "--store"]
  yield* Console.log(`$ miniagents ${words.join(" ")} runs.db`)
  yield* node("person", command, [...words, store])
  yield* Console.log((yield* node("second process", here, [store, "second"])).join("\n"))
}).pipe(Effect.scoped)

const [, , store, life] = process.argv
if (import.meta.main) NodeRuntime.runMain(store === undefined ? program : work(store, life === "first"))
