/** A conversation with an agent of the program. */
import type { Callable, Chat as Told, Focus as Update, Json, Said, ToSay } from "../../wire.ts"
import { ask, tellFor } from "./connection.ts"
import type { Focus, Model } from "./model.ts"

/** What was said, the call that answers it, and what is known of that. */
export interface Turn {
  readonly text: string
  readonly call: number
  focus: Focus | undefined
}

export class Chat {
  readonly id: string
  agents: ReadonlyArray<Callable> = []
  agent = ""
  turns: ReadonlyArray<Turn> = []
  problem = ""
  /** After how many turns the next thing is said, where that is not the end. */
  keep: number | undefined = undefined
  private readonly draw: () => void

  constructor(id: string, draw: () => void) {
    this.id = id
    this.draw = draw
    void this.load()
  }

  get last(): Turn | undefined {
    return this.turns.at(-1)
  }

  /** Asks which agents there are, and what was said before: the page may have been loaded again. */
  async load(): Promise<void> {
    try {
      this.agents = await ask<ReadonlyArray<Callable>>("/api/agents")
      this.agent = this.agents.some(({ name }) => name === this.agent) ? this.agent : (this.agents[0]?.name ?? "")
      const told = await ask<Told>("/api/chat", { chat: this.id }).catch(() => undefined)
      if (told !== undefined && told.turns.length > this.turns.length) {
        this.agent = told.agent
        this.turns = await Promise.all(
          told.turns.map(async ({ call, text }) => ({ call, text, focus: await focusOf(call) }))
        )
      }
    } catch (error) {
      this.problem = messageOf(error)
    }
    this.draw()
  }

  /** What is known of a turn: the last one is the call that the page looks at. */
  focusOf(turn: Turn, { focus }: Model): Focus | undefined {
    if (focus?.call === turn.call && focus.detail !== undefined) turn.focus = focus
    return turn.focus
  }

  async say(text: string, parameters: Json): Promise<boolean> {
    const { agent, id: chat, keep = this.turns.length } = this
    this.problem = ""
    try {
      const said: ToSay = { agent, chat, keep, text, parameters }
      const { call } = await tellFor<{ readonly call: number }>("/api/say", said)
      this.turns = [...this.turns.slice(0, keep), { text, call, focus: undefined }]
      this.keep = undefined
      return true
    } catch (error) {
      this.problem = messageOf(error)
      return false
    } finally {
      this.draw()
    }
  }
}

const focusOf = async (call: number): Promise<Focus | undefined> => {
  const update = await ask<Update | null>("/api/call", { call })
  if (update === null) return undefined
  const messages = new Map(update.messages.map((said: Said) => [said.at, said]))
  return { call, detail: update.detail, messages, spans: new Map() }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Parameters to begin with: what has to be given, each with a value of its type. */
export const template = (schema: Json): string => {
  const { properties = {}, required = [] } = schema as {
    readonly properties?: Readonly<Record<string, Json>>
    readonly required?: ReadonlyArray<string>
  }
  const values = required.map((name) => [name, empty(properties[name] ?? {})])
  return values.length === 0 ? "{}" : JSON.stringify(Object.fromEntries(values), null, 2)
}

const empty = (schema: Json): Json => {
  const { enum: all, type } = schema as { readonly enum?: ReadonlyArray<Json>; readonly type?: string }
  if (all !== undefined) return all[0] ?? null
  if (type === "object") return JSON.parse(template(schema)) as Json
  const values: Readonly<Record<string, Json>> = { string: "", number: 0, integer: 0, boolean: false, array: [] }
  return values[type ?? ""] ?? null
}
