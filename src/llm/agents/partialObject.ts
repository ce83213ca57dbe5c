/** An object as far as its text has come. */
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { define } from "../../internal/json.ts"
import { opening } from "./growingText.ts"
import { type Handler, JsonWalk, type Kind } from "./jsonWalk.ts"

type Container = Array<Schema.Json> | { [key: string]: Schema.Json }

/** Reads the text of a message whose fields are its JSON. */
class PartialObject implements Handler {
  /** The object so far, once it has begun. */
  root: Container | undefined = undefined
  private text = ""
  private name = ""
  private readonly stack: Array<Container> = []
  private readonly walk = new JsonWalk(this)

  push(text: string): void {
    const read = this.text.length
    this.text += text
    if (this.text.startsWith(opening)) this.walk.push(this.text.slice(Math.max(read, opening.length)))
  }

  open(kind: Kind): void {
    const made: Container = kind === "array" ? [] : {}
    if (this.root === undefined) this.root = made
    else this.put(made as Schema.Json)
    this.stack.push(made)
  }

  close(): void {
    this.stack.pop()
  }

  key(name: string): void {
    this.name = name
  }

  piece(piece: string, { isFirst }: { readonly isFirst: boolean }): void {
    const into = this.stack.at(-1)
    if (isFirst || into === undefined) return this.put(piece)
    if (Array.isArray(into)) into[into.length - 1] = `${String(into.at(-1))}${piece}`
    else define(into, this.name, `${String(into[this.name])}${piece}`)
  }

  scalar(value: number | boolean | null): void {
    this.put(value)
  }

  private put(value: Schema.Json): void {
    const into = this.stack.at(-1)
    if (Array.isArray(into)) into.push(value)
    else if (into !== undefined) define(into, this.name, value)
  }
}

/** The objects that the tokens of a message are on the way to it: one for all that came together. */
export const partials = <E>(tokens: Stream.Stream<string, E>, form: "json" | "content"): Stream.Stream<unknown, E> =>
  Stream.suspend(() => {
    const object = new PartialObject()
    let content = ""
    const next = (more: string): unknown => {
      if (form === "content") return { content: (content += more) }
      object.push(more)
      return object.root === undefined ? undefined : structuredClone(object.root)
    }
    return Stream.filter(
      Stream.mapArray(tokens, (tokens) => [next(tokens.join(""))] as const),
      (object) => object !== undefined
    )
  })
