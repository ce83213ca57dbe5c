/** The steps of a scripted turn as the parts of a response. */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"

export type Step =
  | { readonly _tag: "Text"; readonly tokens: ReadonlyArray<string>; readonly pause: Duration.Input | undefined }
  | { readonly _tag: "Reasoning"; readonly tokens: ReadonlyArray<string> }
  | { readonly _tag: "ToolCall"; readonly name: string; readonly params: unknown; readonly id: string | undefined }
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
export const stream = (
  steps: ReadonlyArray<Step>,
  { id, model }: { readonly id: string; readonly model: string }
): Parts => {
  const cutOff = steps.some((step) => step._tag === "CutOff")
  const begin: Part = { type: "response-metadata", id, modelId: model }
  const parts = [Stream.succeed(begin), ...steps.map(partsOf), cutOff ? Stream.empty : Stream.succeed(endOf(steps))]
  return Stream.fromIterable(parts).pipe(Stream.flatMap((part) => part))
}

const partsOf = (step: Step, index: number, steps: ReadonlyArray<Step>): Parts => {
  const id = String(index)
  switch (step._tag) {
    case "Text": {
      const { pause } = step
      const deltas = oneByOne(step.tokens, (delta) => ({ type: "text-delta", id, delta }))
      const paced = pause === undefined ? deltas : deltas.pipe(Stream.tap(() => Effect.sleep(pause)))
      const end = breaksOff(steps.slice(index + 1)) ? [] : [{ type: "text-end" as const, id }]
      return chunked([{ type: "text-start", id }]).pipe(Stream.concat(paced), Stream.concat(chunked(end)))
    }
    case "Reasoning":
      return chunked([
        { type: "reasoning-start", id },
        ...step.tokens.map((delta) => ({ type: "reasoning-delta" as const, id, delta })),
        { type: "reasoning-end", id }
      ])
    case "ToolCall": {
      const number = steps.slice(0, index + 1).filter((step) => step._tag === "ToolCall").length
      return chunked([{ type: "tool-call", id: step.id ?? `call-${number}`, name: step.name, params: step.params }])
    }
    case "Pause":
      return Stream.fromEffectDrain(Effect.sleep(step.duration))
    case "Hang":
      return Stream.never
    case "Fail":
      return Stream.fail(step.error)
    case "Malformed":
      return chunked([step.part as Part]) // that it is none is the point
    default:
      return Stream.empty
  }
}

/** Whether what comes next leaves a text in the middle. */
const breaksOff = (rest: ReadonlyArray<Step>): boolean => {
  const next = rest.find((step) => step._tag !== "Pause" && step._tag !== "Usage")
  return next !== undefined && ["Fail", "Hang", "CutOff"].includes(next._tag)
}

const chunked = (parts: ReadonlyArray<Part>): Parts => oneByOne(parts, (part) => part)

/** Makes each part when it is asked for, so that a thousand long answers at once do not take the memory of all of them. */
const oneByOne = <A>(items: ReadonlyArray<A>, part: (item: A) => Part): Parts =>
  Stream.fromPull(
    Effect.sync(() => {
      let next = 0
      return Effect.suspend(() =>
        next < items.length ? Effect.succeed([part(items[next++]!)] as const) : Cause.done()
      )
    })
  )

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
