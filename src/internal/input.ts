/** What can be sent or replied, on its way into a sequence. */
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as Message from "../Message.ts"
import * as Json from "./json.ts"
import type { Place } from "./place.ts"
import { isPromise, stamp, Whole } from "./promise.ts"
import type { RuntimeImpl } from "./runtime.ts"
import { type Promise, Sequence } from "./sequence.ts"
import { Task } from "./task.ts"

/**
 * Where parts come from: the runtime and the task that own what runs for them, the call that made them, and the fiber
 * that brought them.
 */
export interface Source {
  readonly runtime: RuntimeImpl
  readonly owner: Task
  readonly place: Place | undefined
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

/** Adds an input to a sequence at its place, or as soon as its elements are there; what is wrong with it, if anything. */
export const put = (
  sequence: Sequence,
  input: unknown,
  source: Source,
  operation: string,
  outOfOrder = false
): Message.InvalidMessage | undefined => {
  const parts = new Parts(source, operation)
  parts.add(input, "input", 0)
  if (parts.invalid !== undefined) return parts.invalid
  if (outOfOrder) sequence.addPartsOutOfOrder(parts.list, source)
  else sequence.addParts(parts.list, source)
  return undefined
}

/** The sequence of an input; the input itself where it is one. */
export const toSequence = (input: unknown, source: Source, operation: string): Sequence | Message.InvalidMessage => {
  if (input instanceof Sequence) return input
  const sequence = new Sequence(source.runtime.errorsAsMessages, source.place)
  const invalid = input === undefined ? undefined : put(sequence, input, source, operation)
  if (invalid !== undefined) return invalid
  sequence.end(Exit.void)
  return sequence
}

/** What an input is made of, in order, or why it can be none. */
class Parts {
  readonly list: Array<Promise | Sequence> = []
  invalid: Message.InvalidMessage | undefined = undefined
  private readonly source: Source
  private readonly operation: string
  /** The lists around the one that is gone through. */
  private readonly around = new Set<unknown>()

  constructor(source: Source, operation: string) {
    this.source = source
    this.operation = operation
  }

  add(input: unknown, path: string, depth: number): void {
    if (typeof input === "string") this.push(new Whole(Message.text(input)))
    else if (typeof input !== "object" || input === null) this.refuse(path, input, noMessage)
    else if (Message.isMessage(input)) this.push(new Whole(input))
    else if (isPromise(input)) this.push(input)
    else if (input instanceof Sequence) {
      input.shared = true
      this.list.push(input)
    } else if (Stream.isStream(input)) this.list.push(fromStream(input, this.source, this.operation))
    else if (Effect.isEffect(input)) this.refuse(path, input, anEffect)
    else if (Symbol.iterator in input) this.addAll(input as Iterable<unknown>, path, depth)
    else this.addData(input, path)
  }

  private push(promise: Promise): void {
    stamp(promise, this.source.place)
    this.list.push(promise)
  }

  private addAll(inputs: Iterable<unknown>, path: string, depth: number): void {
    if (this.around.has(inputs)) return this.refuse(path, inputs, "it contains itself")
    if (depth === Json.maxDepth) return this.refuse("input", inputs, `it is ${Json.tooDeep}`)
    this.around.add(inputs)
    let index = 0
    for (const input of inputs) {
      this.add(input, `${path}[${index++}]`, depth + 1)
      if (this.invalid !== undefined) return
    }
    this.around.delete(inputs)
  }

  private addData(input: object, path: string): void {
    const data = Json.frozenCopy(input, path)
    if (!(data instanceof Json.NotJson)) this.push(new Whole(new Message.Data({ data: data as {} })))
    else this.refuse(data.path, data.value, data.path === path ? `${data.reason}. ${noMessage}` : `${data.reason}.`)
  }

  private refuse(path: string, value: unknown, reason: string): void {
    this.invalid = Message.invalid(this.operation, path, value, reason)
  }
}

const noMessage =
  "a message is a string, a plain JSON object or a `Message`, a sequence of them a Stream or an Iterable"
const anEffect = "it is an Effect: `yield*` it, and give what it succeeds with"

/** Reads a stream of inputs in the background into a sequence of its own. */
const fromStream = (stream: Stream.Stream<unknown, unknown, unknown>, source: Source, operation: string): Sequence => {
  const { fiber, owner, place, runtime } = source
  const sequence = new Sequence(runtime.errorsAsMessages, place)
  const inside = (): Source => ({ runtime, owner: task, place, fiber: task.fiber ?? fiber })
  const push = (inputs: ReadonlyArray<unknown>) =>
    Effect.suspend(() => {
      const invalid = put(sequence, inputs, inside(), operation)
      return invalid === undefined ? Effect.void : Effect.die(invalid)
    })
  const { context } = fiber
  const work = { effect: Channel.runForEach(stream.channel, push), context }
  const task = new Task(runtime.supervisor, owner, work, (exit) => sequence.finish(exit, task.place, runtime, context))
  sequence.task = task
  if (runtime.startSoon) task.startSoon(fiber)
  else sequence.start = () => task.startUnsafe()
  return sequence
}
