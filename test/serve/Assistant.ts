/** An assistant on scripted models, with an agent as its tool, and tools that somebody has to approve. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { AgentTool, LlmAgent } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { reasoning, text, tokens, toolCall, turn, usage } = ScriptedModel

const DeleteFile = Tool.make("DeleteFile", {
  parameters: Schema.Struct({ path: Schema.String }),
  success: Schema.String,
  needsApproval: true
})
const files = Toolkit.make(DeleteFile)
const filesLive = files.toLayer({ DeleteFile: ({ path }) => Effect.succeed(`${path} is gone`) })

/** Thinks, asks an agent that speaks while it works, and answers. */
const searcher = LlmAgent.make("Searcher", {
  description: "Finds pages",
  model: ScriptedModel.layer([turn(tokens(["page ", "one"]), usage(5, 2))])
})
export const researcher = LlmAgent.make("Researcher", {
  toolkit: AgentTool.toolkit(AgentTool.make(searcher)),
  model: ScriptedModel.layer([
    turn(
      reasoning("let me ", "see"),
      text("One moment. "),
      toolCall("Searcher", { message: "pages" }, "call-1"),
      usage(10, 4)
    ),
    turn(tokens(["It is ", "page one"]), usage(20, 6))
  ])
})

const deletes = (...paths: ReadonlyArray<string>) =>
  ScriptedModel.layer([
    turn(...paths.map((path) => toolCall("DeleteFile", { path }, `delete-${path}`))),
    turn(text("done"))
  ])

/** Deletes two files, each of which somebody has to approve. */
export const deleter = LlmAgent.make("Deleter", {
  description: "Deletes files",
  toolkit: Effect.provide(files, filesLive),
  model: deletes("a", "b")
})

/** Has an agent that somebody has to approve something of. */
export const manager = LlmAgent.make("Manager", {
  toolkit: AgentTool.toolkit(
    AgentTool.make(
      LlmAgent.make("Cleaner", {
        description: "Cleans up",
        toolkit: Effect.provide(files, filesLive),
        model: deletes("c")
      })
    )
  ),
  model: ScriptedModel.layer([turn(toolCall("Cleaner", { message: "all" }, "call-1")), turn(text("all clean"))])
})
