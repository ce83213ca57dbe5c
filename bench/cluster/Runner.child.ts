/** A process of the cluster of S19. It says when it is there, and how much memory it holds whenever it is asked. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Memory from "../Memory.ts"
import { runner } from "./Agents.ts"

const [host = "", port = ""] = process.argv.slice(2)
process.on("message", () => process.send!(Memory.live()))
process.on("disconnect", () => process.exit())
const started = Layer.effectDiscard(Effect.sync(() => process.send!("started")))
NodeRuntime.runMain(Layer.launch(Layer.provideMerge(started, runner(host, Number(port)))))
