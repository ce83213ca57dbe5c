/** One run that a client of MCP asked for: what it waits for from a person, and how its answers reach it. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as McpSchema from "effect/ai/McpSchema"
import * as Approval from "../../llm/agents/Approval.ts"
import * as Runs from "../../runs/Runs.ts"

/** What a person is asked, by keys that answers name. */
export type Questions = Readonly<Record<string, McpSchema.McpInputRequest>>

const Answer = Schema.Struct({ approved: Schema.Boolean, reason: Schema.optionalKey(Schema.String) })

export class McpRun {
  readonly id: string
  /** How much of its text, in UTF-16 units, was told as progress. */
  told = 0
  /** What it waits for, and under which name it is signalled. */
  private readonly asked = new Map<string, Approval.Request>()
  private asks = 0
  private readonly waits = Latch.makeUnsafe(false)

  constructor(id: string) {
    this.id = id
  }

  /** Decides about calls of tools by asking whoever asked for the run: the answer is a signal. */
  readonly approve: Approval.Approve = (request) =>
    Effect.suspend(() => {
      const name = `approval-${++this.asks}`
      this.asked.set(name, request)
      this.waits.openUnsafe()
      const settled = Effect.sync(() => {
        this.asked.delete(name)
        if (this.asked.size === 0) this.waits.closeUnsafe()
      })
      return Effect.map(Effect.ensuring(Runs.wait(name, Answer), settled), ({ approved, reason }) =>
        approved ? Approval.approved : Approval.denied(reason ?? declined)
      )
    })

  /** Waits until a person is to be asked. */
  get questions(): Effect.Effect<Questions> {
    return Effect.map(this.waits.await, () => this.pending)
  }

  /** What a person is asked now. */
  get pending(): Questions {
    const questions: Record<string, McpSchema.McpInputRequest> = {}
    for (const [name, request] of this.asked) {
      questions[name] = { method: "elicitation/create", params: { mode: "form", ...form(request) } }
    }
    return questions
  }

  /** Gives the answers to who waits for them; others are ignored. */
  answer(
    responses: Readonly<Record<string, McpSchema.McpInputResponse>>
  ): Effect.Effect<void, Runs.RunsError, Runs.Runs> {
    return Effect.forEach(
      Object.entries(responses),
      ([name, response]) => {
        if (!this.asked.has(name)) return Effect.void
        // at once, so that what asks next what it waits for is not told the same
        this.asked.delete(name)
        if (this.asked.size === 0) this.waits.closeUnsafe()
        return Runs.signal(this.id, name, answerOf(response))
      },
      { discard: true }
    )
  }
}

/** Decides by asking a client that can be asked while its request goes on. */
export const elicited =
  (client: McpSchema.McpServerClient["Service"]): Approval.Approve =>
  (request) =>
    Effect.gen(function* () {
      const asked = yield* Effect.exit(
        Effect.flatMap(client.getClient, ({ elicit }) =>
          elicit(new McpSchema.ElicitRequestFormParams({ mode: "form", ...form(request) }))
        )
      )
      if (asked._tag === "Failure") return Approval.denied("the client did not answer")
      const { approved, reason } = answerOf(asked.value)
      return approved ? Approval.approved : Approval.denied(reason ?? declined)
    }).pipe(Effect.scoped)

const declined = "the person who was asked said no"

const answerOf = (response: unknown): typeof Answer.Type => {
  const content = Predicate.hasProperty(response, "content") ? response.content : undefined
  const accepted = Predicate.hasProperty(response, "action") && response.action === "accept"
  const reason = Predicate.hasProperty(content, "reason") ? content.reason : undefined
  return {
    approved: accepted && Predicate.hasProperty(content, "approve") && content.approve === true,
    ...(typeof reason === "string" && reason !== "" ? { reason } : {})
  }
}

const form = ({ call, trace }: Approval.Request) => ({
  message: `${trace.join(" <- ")} wants to call ${call}`,
  requestedSchema: {
    type: "object" as const,
    properties: {
      approve: { type: "boolean" as const, title: "Approve", description: "Whether the tool may be called" },
      reason: { type: "string" as const, title: "Reason", description: "What the model is told if it may not" }
    },
    required: ["approve"]
  }
})
