/** The steps of a scripted turn as the parts of a response. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"

export type Step =
  | { readonly _tag: "Text"; readonly tokens: ReadonlyArray<string>; readonly pause: Duration.Input | undefined }
  | { readonly _tag: "Reasoning"; readonly tokens: ReadonlyArray<string> }
  | { readonly _tag: "ToolCall"; readonly name: string; readonly params: unknown; readonly id: string | undefined }
  | { readonly _tag: "File"; readonly mediaType: string; readonly data: string }
  | { readonly _tag: "Usage"; readonly inputTokens: number; readonly outputTokens: number }
  | { readonly _tag: "Finish"; readonly reason: Response.FinishReason }
  | { readonly _tag: "CutOff" }
  | { readonly _tag: "Pause"; readonly duration: Duration.Input }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Fail"; readonly error: AiError.AiError }
  | { readonly _tag: "Malformed"; readonly part: unknown }

type Part = Response.StreamPartEncoded
type Parts = Stream.Stream<Part, AiError.AiError>

/** The parts of a turn, one a chunk: what it is, its steps, and its end, unless it is cut off. */
export const stream = (steps: ReadonlyArray<Step>, turn: Named): Parts =>
  Stream.fromPull(
    Effect.sync(() => {
      // one part at a time, so that a thousand long turns at once hold nothing of what they have yet to say
      const events = eventsOf(steps, turn)
      const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Part>, AiError.AiError> = Effect.suspend(() => {
        const { done, value } = events.next()
        if (done === true) return Cause.done()
        return Effect.isEffect(value) ? Effect.andThen(value, pull) : Effect.succeed([value])
      })
      return pull
    })
  )

/** What a turn calls itself. */
interface Named {
  readonly id: string
  readonly model: string
}

/** A part, or what happens before the next one. */
type Event = Part | Effect.Effect<void, AiError.AiError>

function* eventsOf(steps: ReadonlyArray<Step>, { id, model }: Named): Generator<Event, void> {
  yield { type: "response-metadata", id, modelId: model }
  for (let i = 0; i < steps.length; i++) yield* eventsOfStep(steps[i], i, steps)
  if (!steps.some((step) => step._tag === "CutOff")) yield endOf(steps)
}

function* eventsOfStep(step: Step, index: number, steps: ReadonlyArray<Step>): Generator<Event, void> {
  const id = String(index)
  switch (step._tag) {
    case "Text": {
      yield { type: "text-start", id }
      for (const delta of step.tokens) {
        if (step.pause !== undefined) yield Effect.sleep(step.pause)
        yield { type: "text-delta", id, delta }
      }
      if (!breaksOff(steps.slice(index + 1))) yield { type: "text-end", id }
      return
    }
    case "Reasoning": {
      yield { type: "reasoning-start", id }
      for (const delta of step.tokens) yield { type: "reasoning-delta", id, delta }
      yield { type: "reasoning-end", id }
      return
    }
    case "ToolCall": {
      const number = steps.slice(0, index + 1).filter((step) => step._tag === "ToolCall").length
      yield { type: "tool-call", id: step.id ?? `call-${number}`, name: step.name, params: step.params }
      return
    }
    case "File":
      return yield { type: "file", mediaType: step.mediaType, data: step.data }
    case "Pause":
      return yield Effect.sleep(step.duration)
    case "Hang":
      return yield Effect.never
    case "Fail":
      return yield Effect.fail(step.error)
    case "Malformed":
      return yield step.part as Part // that it is none is the point
  }
}

/** Whether what comes next leaves a text in the middle. */
const breaksOff = (rest: ReadonlyArray<Step>): boolean => {
  const next = rest.find((step) => step._tag !== "Pause" && step._tag !== "Usage")
  return next !== undefined && ["Fail", "Hang", "CutOff"].includes(next._tag)
}

const endOf = (steps: ReadonlyArray<Step>): Part => {
  const find = <Tag extends Step["_tag"]>(tag: Tag) =>
    steps.find((step): step is Extract<Step, { readonly _tag: Tag }> => step._tag === tag)
  const usage = find("Usage")
  const reason = find("Finish")?.reason ?? (find("ToolCall") === undefined ? "stop" : "tool-calls")
  return {
    type: "finish",
    reason,
    usage: {
      inputTokens: usage === undefined ? {} : { total: usage.inputTokens },
      outputTokens: usage === undefined ? {} : { total: usage.outputTokens }
    }
  }
}

/** A whole response out of its stream. */
export const collect = (parts: Parts): Effect.Effect<Array<Response.PartEncoded>, AiError.AiError> =>
  Effect.map(Stream.runCollect(parts), (parts) => {
    const whole: Array<Response.PartEncoded> = []
    const open = new Map<string, { type: "text" | "reasoning"; text: string }>()
    for (const part of parts) {
      if (part.type === "text-start" || part.type === "reasoning-start") {
        const block = { type: part.type === "text-start" ? ("text" as const) : ("reasoning" as const), text: "" }
        open.set(part.id, block)
        whole.push(block)
      } else if (part.type === "text-delta" || part.type === "reasoning-delta") {
        const block = open.get(part.id)
        if (block === undefined) whole.push(part as never) // a delta of nothing is malformed here too
        else block.text += part.delta
      } else if (part.type !== "text-end" && part.type !== "reasoning-end") {
        whole.push(part as Response.PartEncoded) // the rest is in both kinds of responses
      }
    }
    return whole
  })
