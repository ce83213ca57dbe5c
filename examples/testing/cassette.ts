/**
 * What a model answers is recorded once and replayed from then on, without the network and without a key. Here the
 * recordings go to a folder that is thrown away, and the model is a scripted one that answers a single time; in a test
 * the folder is committed, and the model is `OpenAi.model("gpt-5.2")` or any other.
 *
 * Run: node --conditions=miniagents-source examples/testing/cassette.ts
 *
 * Prints:
 *   recorded: Paris.
 *   what-is-the-capital-of-france-88ba5479449c320b-1.json
 *   replayed: Paris.
 *   refused: "What is the capital of Italy?" is not recorded
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem } from "effect"
import { MiniAgents } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { Cassette, ScriptedModel } from "miniagents/testing"

const geographer = LlmAgent.make("Geographer", { system: "Answer in one word." })

const ask = (question: string, mode: Cassette.Mode, folder: string) =>
  Effect.flatMap(geographer.trigger(question), (replies) => replies.text).pipe(
    Effect.provide([
      MiniAgents.layer(),
      Cassette.layer({ folder, mode, pauses: false })(
        ScriptedModel.layer(mode === "auto" ? [ScriptedModel.turn(ScriptedModel.text("Paris."))] : [])
      )
    ])
  )

export const program = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "miniagents-" })
  yield* Console.log(`recorded: ${yield* ask("What is the capital of France?", "auto", folder)}`)
  for (const file of yield* fs.readDirectory(folder)) yield* Console.log(file)
  yield* Console.log(`replayed: ${yield* ask("What is the capital of France?", "strict", folder)}`)
  const refused = yield* Effect.flip(ask("What is the capital of Italy?", "strict", folder))
  const [, question] = /"(.*)"/.exec(refused.message) ?? []
  yield* Console.log(`refused: "${question}" is not recorded`)
}).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

if (import.meta.main) NodeRuntime.runMain(program)
