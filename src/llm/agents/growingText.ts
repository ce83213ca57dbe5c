/**
 * The text of an object while its JSON is being written: the beginning of what the message of it will say, and never
 * more. What a schema changes (a date, a field that is left out) is not known before the object is whole.
 */
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as Message from "../../Message.ts"
import { type Handler, JsonWalk, type Kind } from "./jsonWalk.ts"

/** What the text of a message is: its fields as JSON, its content, or something that its class makes of them. */
export type Form = "json" | "content" | "unknown"

/** How the messages of a class say what is in them, by its prototype and the schema of its fields. */
export const formOf = (prototype: object, fields: Schema.Top): Form => {
  if (hasOwnText(prototype)) return "unknown"
  const content = propertiesOf(fields.ast)?.find(({ name }) => name === "content")?.type
  if (content === undefined) return "json"
  const isText = content._tag === "String" && content.encoding === undefined && content.context?.isOptional !== true
  return isText ? "content" : "unknown"
}

const hasOwnText = (prototype: object): boolean =>
  !Object.hasOwn(prototype, Message.TypeId) &&
  (Object.hasOwn(prototype, "toString") || hasOwnText(Object.getPrototypeOf(prototype) as object))

/** How the text of a message begins that is its fields as JSON. */
export const opening = "```json\n"

/** A part of the object that is open: its fields, of which the next one is to come, or what its items are. */
interface Frame {
  readonly kind: Kind
  readonly fields: ReadonlyArray<SchemaAST.PropertySignature>
  readonly item: SchemaAST.AST | undefined
  next: number
  isEmpty: boolean
}

/**
 * Reads JSON and gives the text. It goes on as long as the fields come in the order of the schema, and as what the
 * message will have; from there on the text waits for the object.
 */
export class GrowingText implements Handler {
  private added = ""
  private isHeld: boolean
  /** What the value that comes next has to be. */
  private expected: SchemaAST.AST | undefined
  /** The name of the field whose value comes next, as it is written. */
  private name = ""
  private readonly frames: Array<Frame> = []
  private readonly walk = new JsonWalk(this)
  private readonly form: Form

  constructor(form: Form, schema: Schema.Top) {
    this.form = form
    this.expected = schema.ast
    this.isHeld = form === "unknown"
  }

  /** Takes a piece of the JSON, and gives what it adds to the text. */
  push(piece: string): string {
    this.added = ""
    if (!this.isHeld) this.walk.push(piece)
    return this.added
  }

  open(kind: Kind): void {
    const ast = this.begin(kind)
    if (this.frames.length === 0) this.add(opening)
    this.add(kind === "object" ? "{" : "[")
    const fields = (kind === "object" ? propertiesOf(ast) : undefined) ?? []
    const item = ast?._tag === "Arrays" && ast.elements.length === 0 ? ast.rest[0] : undefined
    this.frames.push({ kind, fields, item, next: 0, isEmpty: true })
  }

  close(): void {
    const frame = this.frames.pop()
    if (frame === undefined) return
    // a field that nobody has written may have a value all the same
    if (!frame.fields.slice(frame.next).every(({ type }) => type.encoding === undefined)) return this.hold()
    this.add(`${frame.isEmpty ? "" : this.line}${frame.kind === "object" ? "}" : "]"}`)
  }

  key(name: string): void {
    const frame = this.frames.at(-1)
    this.name = name
    if (frame === undefined || this.form === "content") return
    const field = frame.fields[frame.next++]
    if (field?.name === name) this.expected = field.type
    else this.hold()
  }

  piece(piece: string, { isFirst, isLast }: { readonly isFirst: boolean; readonly isLast: boolean }): void {
    if (this.form === "content") {
      if (this.frames.length === 1 && this.name === "content") this.added += piece
      return
    }
    if (isFirst) {
      this.begin("string")
      this.add('"')
    }
    this.add(JSON.stringify(piece).slice(1, -1))
    if (isLast) this.add('"')
  }

  scalar(value: number | boolean | null): void {
    const { expected } = this
    // what providers write for a field that is left out
    const isLeftOut =
      value === null && expected?.context?.isOptional === true && memberOf(expected, "null") === undefined
    if (isLeftOut && expected.encoding === undefined) return
    this.begin(value === null ? "null" : (typeof value as "boolean" | "number"))
    this.add(JSON.stringify(value))
  }

  /** A value begins, after what is before it: gives what its schema says of it, if it will be as it is written. */
  private begin(kind: ValueKind): SchemaAST.AST | undefined {
    if (this.form === "content") return undefined
    const frame = this.frames.at(-1)
    const ast = memberOf(frame?.kind === "array" ? frame.item : this.expected, kind)
    if (ast === undefined) this.hold()
    if (frame === undefined) return ast
    this.add(
      `${frame.isEmpty ? "" : ","}${this.line}${frame.kind === "object" ? `${JSON.stringify(this.name)}: ` : ""}`
    )
    frame.isEmpty = false
    return ast
  }

  private get line(): string {
    return `\n${"  ".repeat(this.frames.length)}`
  }

  private add(text: string): void {
    if (!this.isHeld && this.form === "json") this.added += text
  }

  private hold(): void {
    this.isHeld = true
  }
}

type ValueKind = Kind | "boolean" | "null" | "number" | "string"

/** What the schema of a value says of those of a kind, if they are in JSON as they are written, and no two members do. */
const memberOf = (ast: SchemaAST.AST | undefined, kind: ValueKind): SchemaAST.AST | undefined => {
  if (ast === undefined || ast.encoding !== undefined) return undefined
  switch (ast._tag) {
    case "Suspend":
      return memberOf(ast.thunk(), kind)
    case "Union": {
      if (ast.types.some(({ encoding }) => encoding !== undefined)) return undefined
      const members = ast.types.flatMap((type) => memberOf(type, kind) ?? [])
      return members.length === 1 || (kind !== "object" && kind !== "array") ? members[0] : undefined
    }
    case "Literal":
      return typeof ast.literal === kind ? ast : undefined
    case "Objects":
      return kind === "object" && ast.indexSignatures.length === 0 ? ast : undefined
    case "Arrays":
      return kind === "array" ? ast : undefined
    default:
      return kinds[ast._tag] === kind ? ast : undefined
  }
}

const kinds: { readonly [tag: string]: ValueKind } = {
  String: "string",
  TemplateLiteral: "string",
  Number: "number",
  Boolean: "boolean",
  Null: "null"
}

const propertiesOf = (ast: SchemaAST.AST | undefined): ReadonlyArray<SchemaAST.PropertySignature> | undefined =>
  ast?._tag === "Objects" ? ast.propertySignatures : undefined
