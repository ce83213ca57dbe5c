/** A call of a tool as a message: while the model writes it, and with the place for what the tool says and gives. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type * as Response from "effect/ai/Response"
import { jsonOf } from "../model/lossless.ts"
import type { Filled } from "./filled.ts"
import type * as Message from "../../Message.ts"
import type { MessageInput } from "../../MessageInput.ts"
import { ToolCall } from "./LlmMessage.ts"
import { optionsOf } from "./responseFields.ts"

/** A place in the replies that is filled later. */
export class Slot {
  private queue: Queue.Queue<MessageInput<unknown>, unknown> | undefined = undefined

  /** What is added, once there is room for it. */
  readonly input: Effect.Effect<Stream.Stream<MessageInput<unknown>, unknown>> = Effect.map(
    Queue.unbounded<MessageInput<unknown>, unknown>(),
    (queue) => {
      this.queue = queue
      return Stream.fromQueue(queue)
    }
  )

  add(input: MessageInput<unknown>): void {
    if (this.queue !== undefined) Queue.offerUnsafe(this.queue, input)
  }

  end(exit: Exit.Exit<unknown, unknown> = Exit.void): void {
    if (this.queue === undefined) return
    Queue.failCauseUnsafe(this.queue, Exit.isSuccess(exit) ? Cause.fail(Cause.Done()) : exit.cause)
  }
}

/** A call that the model made, its message once the response has ended, and the place for what the tool says and gives. */
export interface Called {
  readonly part: Response.ToolCallPart<string, unknown>
  readonly message: ToolCall
  readonly slot: Slot
}

/** What is known of a call when it begins. */
export interface Opened {
  /** The id that the provider gave it. */
  readonly key: string
  /** Its id in the conversation. */
  readonly id: string
  readonly name: string
  readonly fields: object
  /** The place for what the tool says, unless somebody else runs it. */
  readonly slot: Slot | undefined
  /** Its message, if the model writes the parameters piece by piece. */
  readonly message: Filled | undefined
}

/** A call whose parameters are coming, or have come. */
export class CallMessage {
  readonly kind = "call"
  readonly key: string
  readonly slot: Slot | undefined
  readonly message: Filled | undefined
  whole: ToolCall | undefined = undefined
  /** Whether some of the parameters have come. */
  private hasPieces = false
  private readonly opened: Opened

  constructor(opened: Opened) {
    this.opened = opened
    this.key = opened.key
    this.slot = opened.slot
    this.message = opened.message
    this.message?.push(`${opened.name}(`)
  }

  write(piece: string): void {
    if (piece === "") return
    this.hasPieces = true
    this.message?.push(piece)
  }

  /** The call is whole: as it was written, or as it came, which is then given. */
  end({ metadata, params }: Response.ToolCallPart<string, unknown>, usage: object): ToolCall | undefined {
    const { message } = this
    const parameters = jsonOf(params)
    const said = { ...optionsOf(metadata), ...usage }
    const plain = this.make({ parameters, ...said })
    this.whole = plain
    if (message === undefined) return plain
    message.push(this.hasPieces ? ")" : `${JSON.stringify(parameters)})`)
    message.end((text) => {
      if (String(plain) !== text) this.whole = this.make({ parameters, ...said, written: this.writtenIn(text) })
      return this.whole as ToolCall
    })
    return undefined
  }

  /** Nobody can make the call: it was not written to its end. */
  leave(exit: Exit.Exit<unknown, unknown>): void {
    this.message?.push(")")
    this.message?.end((text) => {
      const written = this.writtenIn(text)
      return (this.whole = this.make({ parameters: written, written }))
    })
    this.slot?.end(exit)
  }

  private make(more: { readonly parameters: Message.Metadata[string]; readonly written?: string }): ToolCall {
    const { fields, id, name } = this.opened
    return new ToolCall({ id, name, ...more, ...fields })
  }

  private writtenIn(text: string): string {
    return text.slice(this.opened.name.length + 1, -1)
  }
}
