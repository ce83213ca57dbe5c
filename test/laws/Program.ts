/**
 * Programs of agents as data: trees of everything that can be sent or replied, how they are built, and what a reader
 * must see of them, by a model that knows plain arrays only.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import {
  Agent,
  type InteractionContext,
  Message,
  type MessageInput,
  MessagePromise,
  MessageSequence,
  MiniAgents
} from "miniagents"
import { Interleaving } from "miniagents/testing"

/** Stands for an input of any kind, whose own type is too deep for the compiler to look into. */
type Input = Stream.Stream<string, unknown>

/** How a source ends. */
export type End = "ok" | "fail" | "die" | "interrupt"
/** What happens before each part: nothing, the fiber gives way, or all else runs until it can go no further. */
type Pause = "none" | "yield" | "last"
type Mode = "reply" | "replyOutOfOrder"

/** How a reply is made of an input: handed on as it is, read and replied one by one, or not used at all. */
type Relaying = "hand on" | "read" | "ignore"

export type Node =
  | { readonly _tag: "Leaf"; readonly kind: "string" | "object" | "message" }
  | { readonly _tag: "Promise"; readonly tokens: number; readonly pause: Pause; readonly end: End }
  | { readonly _tag: "List"; readonly kind: "array" | "set"; readonly items: ReadonlyArray<Node> }
  | { readonly _tag: "Stream"; readonly items: ReadonlyArray<Node>; readonly pause: Pause; readonly end: End }
  | { readonly _tag: "Sequence"; readonly items: ReadonlyArray<Node> }
  | RelayNode
  | AgentNode

interface RelayNode {
  readonly _tag: "Relay"
  readonly how: Relaying
  readonly call: "open" | "trigger"
  readonly input: Node
}

export interface AgentNode {
  readonly _tag: "Agent"
  readonly steps: ReadonlyArray<Step>
  readonly pause: Pause
  readonly end: End
  /** Makes all that it replies before it replies the first of it. */
  readonly ahead: boolean
  /** What its call says about `startSoon` and `errorsAsMessages`, if anything. */
  readonly startSoon: Choice
  readonly errorsAsMessages: Choice
}

type Choice = "default" | "yes" | "no"

export interface Step {
  readonly mode: Mode
  readonly input: Node
}

export interface Features {
  readonly ends?: ReadonlyArray<End>
  /** How token streams end, where that is not how all else does. */
  readonly tokenEnds?: ReadonlyArray<End>
  readonly modes?: ReadonlyArray<Mode>
  readonly relaying?: ReadonlyArray<Relaying>
  readonly calls?: ReadonlyArray<"open" | "trigger">
  readonly startSoon?: ReadonlyArray<Choice>
  readonly errorsAsMessages?: ReadonlyArray<Choice>
}

/** The schema of programs that use some features; a program is the agent at the root of its tree. */
export const programs = ({
  calls = ["open", "trigger"],
  ends = ["ok"],
  errorsAsMessages = ["default"],
  modes = ["reply"],
  relaying = ["hand on", "read", "ignore"],
  startSoon = ["default"],
  tokenEnds = ends
}: Features = {}): Schema.Codec<AgentNode> => {
  const Pause = Schema.Literals(["none", "yield", "last"])
  const End = Schema.Literals(ends)
  const Inner = Schema.suspend((): Schema.Codec<Node> => Node)
  const AgentNode = Schema.TaggedStruct("Agent", {
    steps: Schema.Array(Schema.Struct({ mode: Schema.Literals(modes), input: Inner })),
    pause: Pause,
    end: End,
    ahead: Schema.Boolean,
    startSoon: Schema.Literals(startSoon),
    errorsAsMessages: Schema.Literals(errorsAsMessages)
  })
  const Node: Schema.Codec<Node> = Schema.Union([
    Schema.TaggedStruct("Leaf", { kind: Schema.Literals(["string", "object", "message"]) }),
    Schema.TaggedStruct("Promise", {
      tokens: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3 })),
      pause: Pause,
      end: Schema.Literals(tokenEnds)
    }),
    Schema.TaggedStruct("List", { kind: Schema.Literals(["array", "set"]), items: Schema.Array(Inner) }),
    Schema.TaggedStruct("Stream", { items: Schema.Array(Inner), pause: Pause, end: End }),
    Schema.TaggedStruct("Sequence", { items: Schema.Array(Inner) }),
    Schema.TaggedStruct("Relay", { how: Schema.Literals(relaying), call: Schema.Literals(calls), input: Inner }),
    AgentNode
  ])
  return AgentNode
}

/** What the sources of a program fail with; `at` is the place of the source. */
export class Broken extends Schema.TaggedError<Broken>()("Broken", { at: Schema.String }) {
  override get message(): string {
    return this.at
  }
}

type Made = Effect.Effect<MessageSequence.MessageSequence<unknown>, never, MiniAgents.MiniAgents>

/** The body of an agent of a program. */
export type Body = (ctx: Context) => Effect.Effect<void, unknown, Required>
type Making = (name: string, body: Body) => Agent.Agent<{}, unknown, never>

/** One run of a program: which bodies and token sources ran how often, and the sequences it made, by place. */
export class Run {
  readonly bodies = new Map<string, number>()
  readonly sources = new Map<string, number>()
  readonly sequences = new Map<string, MessageSequence.MessageSequence<unknown>>()
  private readonly make: Making

  /** `make` makes the agents: to be run here, or elsewhere. */
  constructor(make: Making = Agent.make) {
    this.make = make
  }

  /** Triggers the agent at the root. */
  readonly trigger = (root: AgentNode): Made => this.agent(root, "0")

  private agent(node: AgentNode, at: string): Made {
    const step =
      ({ mode }: Step, input: Input) =>
      (ctx: Context) =>
        mode === "reply" ? ctx.reply(input) : ctx.replyOutOfOrder(input)
    const body = (ctx: Context): Effect.Effect<void, unknown, Required> =>
      Effect.gen({ self: this }, function* () {
        count(this.bodies, at)
        const make = (index: number) =>
          Effect.andThen(pausing(node.pause), this.build(node.steps[index].input, `${at}.${index}`, false))
        const ahead: Array<Input> = []
        if (node.ahead) for (const index of node.steps.keys()) ahead.push(yield* make(index))
        for (const [index, each] of node.steps.entries()) {
          yield* step(each, node.ahead ? ahead[index] : yield* make(index))(ctx)
        }
        yield* pausing(node.pause)
        return yield* ending(node.end, at)
      })
    const options = { ...choice("startSoon", node), ...choice("errorsAsMessages", node) }
    return this.keep(at, this.make(`A${at}`, body).trigger([], {}, options))
  }

  private relay({ call, how, input }: RelayNode, at: string, streamed: boolean): Made {
    const body = (ctx: Context): Effect.Effect<void, unknown, Required> => {
      count(this.bodies, at)
      if (how === "ignore") return ctx.reply(at)
      if (how === "hand on") return ctx.reply(ctx.messages)
      return Stream.runForEach(ctx.messages, (promise) => ctx.reply(promise))
    }
    const agent = this.make(`R${at}`, body)
    return Effect.gen({ self: this }, function* () {
      const built = yield* this.build(input, `${at}.0`, streamed)
      // the agent that replied the stream may have ended, and with it the input of what the stream opens
      if (call === "trigger" || streamed) return yield* this.keep(at, agent.trigger(built))
      const open = yield* agent.call<unknown>()
      yield* open.send(built)
      return yield* this.keep(at, open.replies())
    })
  }

  private keep(at: string, made: Made): Made {
    return Effect.tap(made, (sequence) => Effect.sync(() => void this.sequences.set(at, sequence)))
  }

  private items(items: ReadonlyArray<Node>, at: string, streamed: boolean) {
    return Effect.forEach(items, (item, index) => this.build(item, `${at}.${index}`, streamed))
  }

  private build(node: Node, at: string, streamed: boolean): Effect.Effect<Input, never, MiniAgents.MiniAgents> {
    return Effect.map(this.inputOf(node, at, streamed), (input) => input as Input)
  }

  private inputOf(
    node: Node,
    at: string,
    streamed: boolean
  ): Effect.Effect<MessageInput.MessageInput<unknown>, never, MiniAgents.MiniAgents> {
    switch (node._tag) {
      case "Leaf":
        return Effect.succeed(node.kind === "string" ? at : node.kind === "object" ? { at } : Message.user(at))
      case "Promise":
        return MessagePromise.fromStream(this.tokens(node, at))
      case "List":
        return Effect.map(this.items(node.items, at, streamed), (items) =>
          node.kind === "array" ? items : new Set(items)
        )
      case "Stream":
        return Effect.map(MiniAgents.MiniAgents, (runtime) =>
          this.stream(node, at).pipe(Stream.provideService(MiniAgents.MiniAgents, runtime))
        )
      case "Sequence":
        return Effect.flatMap(this.items(node.items, at, streamed), (items) => MessageSequence.from(items))
      case "Relay":
        return this.relay(node, at, streamed)
      case "Agent":
        return this.agent(node, at)
    }
  }

  private tokens({ end, pause, tokens }: Extract<Node, { _tag: "Promise" }>, at: string) {
    return Stream.suspend(() => {
      count(this.sources, at)
      return Stream.fromIterable(tokensOf(at, tokens)).pipe(
        Stream.rechunk(tokens % 2 === 0 ? 1 : 2),
        Stream.tap(() => pausing(pause)),
        Stream.concat(Stream.drain(Stream.fromEffect(Effect.suspend(() => ending(end, at)))))
      )
    })
  }

  private stream({ end, items, pause }: Extract<Node, { _tag: "Stream" }>, at: string) {
    return Stream.suspend(() => {
      count(this.sources, at)
      return Stream.fromIterable(items.entries()).pipe(
        Stream.mapEffect(([index, item]) => Effect.andThen(pausing(pause), this.build(item, `${at}.${index}`, true))),
        Stream.concat(Stream.drain(Stream.fromEffect(Effect.suspend(() => ending(end, at)))))
      )
    })
  }
}

type Required =
  | MiniAgents.MiniAgents
  | InteractionContext.Replies<unknown>
  | InteractionContext.Replies<InteractionContext.Upstream>
type Context = InteractionContext.InteractionContext<{}>

const count = (counts: Map<string, number>, at: string) => void counts.set(at, (counts.get(at) ?? 0) + 1)

const pausing = (pause: Pause): Effect.Effect<void> =>
  pause === "none" ? Effect.void : pause === "yield" ? Effect.yieldNow : Interleaving.idle

const ending = (end: End, at: string): Effect.Effect<void, Broken> =>
  end === "ok"
    ? Effect.void
    : end === "fail"
      ? Effect.fail(new Broken({ at }))
      : end === "die"
        ? Effect.die(new Error(at))
        : Effect.interrupt

const choice = <K extends "startSoon" | "errorsAsMessages">(
  name: K,
  node: AgentNode
): { readonly [_ in K]?: boolean } =>
  (node[name] === "default" ? {} : { [name]: node[name] === "yes" }) as { readonly [_ in K]?: boolean }

const tokensOf = (at: string, tokens: number) => Array.from({ length: tokens }, (_, index) => `${at}:${index} `)

/** What a sequence holds by the model: a text for each element, and what it ends with, `ok` unless a source failed. */
export interface Expected {
  readonly elements: ReadonlyArray<string>
  readonly end: string
}

/** Where failures become messages: in the whole runtime, around an element, and in the sequence that holds it. */
interface Absorbs {
  readonly runtime: boolean
  readonly around: boolean
  readonly here: boolean
}

/** What a reader sees of a program without replies out of order and interruptions. */
export const expected = (root: AgentNode, runtime = false, at = "0"): Expected =>
  expectedOf(root, at, { runtime, around: false, here: false })

const expectedOf = (node: Node, at: string, absorbs: Absorbs): Expected => {
  switch (node._tag) {
    case "Leaf":
      return { elements: [node.kind === "object" ? String(Message.data({ at })) : at], end: "ok" }
    case "Promise": {
      const text = tokensOf(at, node.tokens).join("")
      const failure = failureKey(node.end, at)
      return { elements: [failure === "ok" ? text : `${text}${absorbs.around ? "~" : "!"}${failure}`], end: "ok" }
    }
    case "List":
      return expectedItems(node.items, at, absorbs)
    case "Sequence":
      return expectedItems(node.items, at, within(absorbs))
    case "Stream":
      return expectedItems(node.items, at, within(absorbs), node.end)
    case "Agent": {
      const choice = node.errorsAsMessages
      const inside = within(absorbs, choice === "default" ? absorbs.runtime : choice === "yes")
      const items = node.steps.map((step) => step.input)
      return expectedItems(items, at, inside, node.end)
    }
    case "Relay":
      return expectedRelay(node, at, absorbs)
  }
}

const expectedRelay = ({ how, input }: RelayNode, at: string, absorbs: Absorbs): Expected => {
  if (how === "ignore") return { elements: [at], end: "ok" }
  const inside = within(absorbs)
  if (how === "hand on") return failing(expectedOf(input, `${at}.0`, inside), inside)
  const { runtime } = absorbs
  const seen = expectedOf(input, `${at}.0`, { runtime, around: runtime, here: runtime })
  const elements = inside.around ? seen.elements.map((key) => key.replace("!", "~")) : seen.elements
  return failing({ elements, end: seen.end }, inside)
}

const expectedItems = (items: ReadonlyArray<Node>, at: string, absorbs: Absorbs, end: End = "ok"): Expected => {
  let elements: ReadonlyArray<string> = []
  for (const [index, item] of items.entries()) {
    const part = failing(expectedOf(item, `${at}.${index}`, absorbs), absorbs)
    elements = [...elements, ...part.elements]
    if (part.end !== "ok") return { elements, end: part.end }
  }
  return failing({ elements, end: failureKey(end, at) }, absorbs)
}

/** The inside of a sequence of its own. */
const within = ({ around, runtime }: Absorbs, here = runtime): Absorbs => ({ runtime, around: around || here, here })

/** A part of a sequence: where failures become messages, its failure is one more element. */
const failing = ({ elements, end }: Expected, { here }: Absorbs): Expected =>
  end === "ok" || !here ? { elements, end } : { elements: [...elements, `~${end}`], end: "ok" }

/** A source that fails, with the agents it fails in, the innermost first (in a program without open calls). */
export interface Failing {
  readonly key: string
  readonly kind: "element" | "sequence"
  readonly trace: ReadonlyArray<string>
}

/** The sources that fail, in the order in which a reader comes to them. */
export const failures = (root: AgentNode): ReadonlyArray<Failing> => failuresOf(root, "0", [], [])

/** `trace` is that of the fiber that makes the node, `streamed` that of the task that a bare stream belongs to. */
const failuresOf = (
  node: Node,
  at: string,
  trace: ReadonlyArray<string>,
  streamed: ReadonlyArray<string>
): ReadonlyArray<Failing> => {
  const inside = (items: ReadonlyArray<Node>, trace: ReadonlyArray<string>, streamed = trace) =>
    items.flatMap((item, index) => failuresOf(item, `${at}.${index}`, trace, streamed))
  const own = (end: End, kind: Failing["kind"], trace: ReadonlyArray<string>): ReadonlyArray<Failing> =>
    end === "ok" ? [] : [{ key: failureKey(end, at), kind, trace }]
  switch (node._tag) {
    case "Leaf":
      return []
    case "Promise":
      return own(node.end, "element", trace)
    case "List":
      return inside(node.items, trace, streamed)
    case "Sequence":
      return inside(node.items, trace)
    case "Stream":
      return [...inside(node.items, streamed), ...own(node.end, "sequence", streamed)]
    case "Relay":
      return inside([node.input], trace, [`R${at}`, ...trace])
    case "Agent": {
      const items = node.steps.map((step) => step.input)
      const below = [`A${at}`, ...trace]
      return [...inside(items, below), ...own(node.end, "sequence", below)]
    }
  }
}

/** The calls of agents in a program, by place. */
export const agents = (node: Node, at = "0"): ReadonlyArray<readonly [at: string, node: AgentNode]> => {
  const below = (items: ReadonlyArray<Node>) => items.flatMap((item, index) => agents(item, `${at}.${index}`))
  switch (node._tag) {
    case "Leaf":
    case "Promise":
      return []
    case "Agent":
      return [[at, node], ...below(node.steps.map((step) => step.input))]
    case "Relay":
      return below([node.input])
    default:
      return below(node.items)
  }
}

const failureKey = (end: End, at: string) =>
  end === "fail" ? `Broken:${at}` : end === "die" ? `Error:${at}` : end === "interrupt" ? "interrupt" : "ok"

/** What a reader saw: the elements themselves, and how the sequence ended. */
export interface Seen {
  readonly elements: ReadonlyArray<MessagePromise.MessagePromise<unknown>>
  readonly exit: Exit.Exit<void, unknown>
}

/** Reads a sequence to its end, whatever that is. */
export const read = (sequence: Stream.Stream<MessagePromise.MessagePromise<unknown>, unknown>): Effect.Effect<Seen> =>
  Effect.suspend(() => {
    const elements: Array<MessagePromise.MessagePromise<unknown>> = []
    const take = (promise: MessagePromise.MessagePromise<unknown>) => Effect.sync(() => void elements.push(promise))
    return Effect.map(Effect.exit(Stream.runForEach(sequence, take)), (exit) => ({ elements, exit }))
  })

/** All that a reader can see of a sequence, but for how its tokens were cut and for the texts of defects. */
export const seen = (sequence: Stream.Stream<MessagePromise.MessagePromise<unknown>, unknown>) =>
  Effect.gen(function* () {
    const { elements, exit } = yield* read(sequence)
    const each = yield* Effect.forEach(elements, (promise) =>
      Effect.gen(function* () {
        const whole = yield* Effect.exit(promise.message)
        let text = ""
        const read = Stream.runForEach(promise, (token) => Effect.sync(() => void (text += token)))
        const end = yield* Effect.exit(read)
        const message = Exit.isSuccess(whole)
          ? { hashKey: whole.value.hashKey, fields: JSON.stringify(Message.serialize(whole.value)) }
          : endAcross(whole)
        const origin = promise.origin && `${promise.origin.path} ${promise.origin.agent}`
        return { tag: promise.known._tag, origin, text, end: endAcross(end), message }
      })
    )
    return { each, end: endAcross(exit) }
  })

const endAcross = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit)
    ? "ok"
    : Cause.hasFails(exit.cause)
      ? exitKey(Exit.fail(Cause.squash(exit.cause)))
      : Cause.hasDies(exit.cause)
        ? "defect"
        : "interrupt"

/** What was seen, as the model says it. */
export const described = ({ elements, exit }: Seen): Effect.Effect<Expected> =>
  Effect.map(Effect.forEach(elements, elementKey), (keys) => ({ elements: keys, end: exitKey(exit) }))

/** An element as the model says it: by its tokens, and by the whole, which must say the same. */
const elementKey = (promise: MessagePromise.MessagePromise<unknown>): Effect.Effect<string> =>
  Effect.gen(function* () {
    const tokens: Array<string> = []
    const exit = yield* Effect.exit(Stream.runForEach(promise, (token) => Effect.sync(() => void tokens.push(token))))
    const whole = yield* Effect.exit(promise.message)
    const text = tokens.join("")
    const end = exitKey(exit)
    if (end !== exitKey(whole)) return `tokens end with ${end}, the message with ${exitKey(whole)}`
    if (Exit.isFailure(whole)) return `${text}!${end}`
    const message = whole.value
    if (text !== String(message)) return `the tokens say ${text}, the message ${String(message)}`
    return message instanceof Message.Failure ? `${message.content}~${message.error}:${message.reason}` : text
  })

/** An end as the model says it. */
export const exitKey = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "ok" : causeKey(exit.cause)

export const causeKey = (cause: Cause.Cause<unknown>): string =>
  cause.reasons
    .map((reason) => {
      const error = Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
      if (error === undefined) return "interrupt"
      const name = Predicate.hasProperty(error, "_tag") ? error._tag : "Error"
      return `${String(name)}:${error instanceof Error ? error.message : String(error)}`
    })
    .filter((key, index, keys) => keys.indexOf(key) === index)
    .sort()
    .join(" ")
