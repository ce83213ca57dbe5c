/** A tagged error with fields and no message of its own, as a message: its fields are told, not an empty reason. */
import * as L from "./lib.ts"
import { Cause, Schema } from "effect"
import { Message } from "miniagents"
class E1 extends Schema.TaggedError<E1>()("E1", { why: Schema.String }) {}
const failure = Message.fromCause(Cause.fail(new E1({ why: "disk full" })) as any)
L.verdict("60 the reason of a failure is never empty", [
  !String(failure).includes("disk full") && `it says ${JSON.stringify(String(failure))}`
])
