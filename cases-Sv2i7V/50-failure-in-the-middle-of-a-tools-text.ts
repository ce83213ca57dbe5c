/** A tool agent's model breaks off in the middle of a text: who drains the front agent's replies, or shows its words alone, must learn that the run failed. */
import * as L from "./lib.ts"
import { AiError } from "effect/ai"
import { Effect, Exit, Stream } from "effect"
import { MiniAgents } from "miniagents"
import { AgentTool, LlmAgent } from "miniagents/llm"
import { ScriptedModel as S } from "miniagents/testing"
const inner = LlmAgent.make("Inner")
const front = LlmAgent.make("Front", { toolkit: AgentTool.toolkit(AgentTool.make(inner)) })
const down = new AiError.InternalProviderError({ description: "down" })
const run = (agent: any, turns: ReadonlyArray<any>, read: (r: any) => Effect.Effect<any, any>) =>
  Effect.runPromiseExit(
    Effect.flatMap(agent.trigger("q") as Effect.Effect<any>, read).pipe(
      Effect.provide([MiniAgents.layer(), S.layer(turns)])
    ) as any
  )
const nested = () => [S.turn(S.toolCall("Inner", { message: "m" })), S.turn(S.tokens(["half ", "a "]), S.fail(down))]
const drained = await run(front, nested(), (r) => Stream.runDrain(r))
const own = await run(front, nested(), (r) =>
  Stream.runDrain(
    Stream.flatMap(
      Stream.filter(r, (m: any) => m.known.agent === "Front" && m.known._tag === "Assistant"),
      (m: any) => m
    )
  )
)
L.verdict("50 a run that failed in the middle of a tool's text fails for who reads the run", [
  Exit.isSuccess(drained) && "draining the replies ends well",
  Exit.isSuccess(own) && "reading the front agent's own words ends well"
])
