/** A process of a cluster: `runner <database> <port>`, or `caller <database> <name>`, which calls and never ends. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { MiniAgents } from "miniagents"
import { client, Holder, runner } from "./Holder.ts"

const [what, host = "", argument = ""] = process.argv.slice(2)

const calling = Effect.gen(function* () {
  const call = yield* Holder.call({ name: argument })
  const replies = yield* call.replies({ finish: false })
  yield* Stream.runForEach(replies, (promise) => Effect.map(promise.message, (message) => console.log(String(message))))
})

if (what === "runner") {
  const started = Layer.effectDiscard(Effect.sync(() => console.log("started")))
  NodeRuntime.runMain(Layer.launch(Layer.provideMerge(started, runner(host, Number(argument)))))
} else NodeRuntime.runMain(Effect.provide(calling, [client(host), MiniAgents.layer()]))
