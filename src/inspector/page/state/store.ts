/** The state of the page, and what changes it. */
import type { Act, Found, Json, ToAnswer, ToFork, ToRerun, Update } from "../../wire.ts"
import { Chat, messageOf } from "./chat.ts"
import { ask, Connection, type State, tell, tellFor } from "./connection.ts"
import { many, time } from "./format.ts"
import { Model } from "./model.ts"
import { type Filter, keyOf, type Line, lines } from "../table/order.ts"
import * as Route from "./route.ts"

/** Which part of the time is shown, in milliseconds; all of it, where nothing is. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** How long the page rests from drawing, as a multiple of how long that took. */
const restAfter = 5

export type Panel = "" | "search" | "help" | "compare"

export class Store {
  readonly live = new Model()
  /** The run as it was at the moment that is looked at. */
  past: Model | undefined = undefined
  state: State = "connecting"
  route: Route.Route = Route.read()
  readonly folded = new Set<string>()
  span: Span | undefined = undefined
  /** What is shown where that is all of the time. */
  whole: Span = { from: Infinity, to: 0 }
  panel: Panel = ""
  query = ""
  found: ReadonlyArray<Found> = []
  /** The message that is pointed at, where a search led to it. */
  pointed: number | undefined = undefined
  speed = 0
  problem = ""
  chat: Chat | undefined = undefined
  private readonly drawers = new Set<() => void>()
  private drawing = false
  /** Whether the page rests from drawing, and has something to draw after that. */
  private resting = false
  private owes = false
  private connection: Connection
  private seeking = false
  private table: { readonly shape: string; readonly lines: ReadonlyArray<Line> } | undefined = undefined

  constructor() {
    this.openChat()
    this.connection = this.connect()
    if (this.route.t !== undefined) void this.load(this.route.t)
    window.addEventListener("hashchange", () => this.go(Route.read()))
  }

  private connect(): Connection {
    return new Connection(
      this.route.run,
      this.looked,
      (update) => {
        this.live.apply(update, performance.now())
        this.drawSoon()
      },
      (state) => {
        this.state = state
        this.draw()
      }
    )
  }

  /** The call whose messages are on the page. */
  private get looked(): number | undefined {
    return this.route.chat === undefined ? this.route.call : this.chat?.last?.call
  }

  /** Whether this can be done with what is shown. */
  can(act: Act): boolean {
    return this.past === undefined && this.state === "connected" && this.live.about?.can.includes(act) === true
  }

  get model(): Model {
    return this.past ?? this.live
  }

  /** The time of what is shown. */
  get now(): number {
    return this.past === undefined ? this.end : this.past.now
  }

  /** The last time there is; that of a live run goes on between two updates. */
  get end(): number {
    const { live, state } = this
    const goesOn = live.about?.live === true && !this.inSteps && state === "connected"
    return goesOn ? live.now + performance.now() - live.received : live.now
  }

  /** Whether its time counts what was kept, one after the other. */
  get inSteps(): boolean {
    return this.live.about?.unit === "steps"
  }

  /** A moment of what is shown, as a person reads it. */
  time(t: number): string {
    return this.inSteps ? `step ${Math.round(t)}` : time(t)
  }

  /** How long something takes, as a person reads it. */
  duration(length: number): string {
    return this.inSteps ? many(Math.round(length), "step") : time(length)
  }

  get filter(): Filter {
    return { agent: this.route.agent, state: this.route.state as Filter["state"] }
  }

  /** The lines of the table; they are made anew only where that can change them. */
  get lines(): ReadonlyArray<Line> {
    const { filter, folded, model } = this
    const isFiltered = filter.agent !== "" || filter.state !== ""
    const shape = [model === this.live, model.shape, isFiltered && model.version, filter.agent, filter.state]
    const key = [...shape, ...folded].join("|")
    if (this.table?.shape !== key) this.table = { shape: key, lines: lines(model, folded, filter) }
    return this.table.lines
  }

  /** Calls what draws, once before the next frame however often something changes. */
  readonly draw = (): void => {
    if (this.drawing) return
    this.drawing = true
    requestAnimationFrame(() => {
      this.drawing = false
      this.owes = false
      this.resting = true
      const began = performance.now()
      for (const drawer of this.drawers) drawer()
      // a task of its own comes when the frame is on the screen
      setTimeout(() => setTimeout(this.rested, (performance.now() - began) * restAfter))
    })
  }

  /** Draws what comes by itself. Where drawing takes long it waits, so that most frames are left for a person. */
  readonly drawSoon = (): void => {
    if (this.resting) this.owes = true
    else this.draw()
  }

  private readonly rested = (): void => {
    this.resting = false
    if (this.owes) this.draw()
  }

  onDraw(drawer: () => void): () => void {
    this.drawers.add(drawer)
    return () => this.drawers.delete(drawer)
  }

  /** Goes where an address leads. */
  private go(route: Route.Route): void {
    const other = route.run !== this.route.run
    this.route = route
    this.openChat()
    if (other) {
      this.connection.close()
      this.connection = this.connect()
    } else this.connection.look(this.looked)
    if (route.t === undefined) this.past = undefined
    else void this.load(route.t)
    this.draw()
  }

  private openChat(): void {
    const { chat } = this.route
    if (chat === undefined || this.chat?.id === chat) return
    this.chat = new Chat(chat, () => {
      this.connection.look(this.looked)
      this.draw()
    })
  }

  /** Opens the conversation that there is, or a new one: with an agent, if one is named. */
  chatWith(agent: string | undefined, id: string = crypto.randomUUID()): void {
    this.move({ chat: id, t: undefined })
    if (this.chat !== undefined && agent !== undefined) this.chat.agent = agent
  }

  toggleChat(): void {
    if (this.route.chat === undefined) this.chatWith(undefined, this.chat?.id)
    else this.leaveChat()
  }

  leaveChat(): void {
    this.move({ chat: undefined })
  }

  async say(chat: Chat, text: string, parameters: Json): Promise<boolean> {
    const said = await chat.say(text, parameters)
    if (said) this.move({ call: chat.last?.call })
    return said
  }

  /** Does something, and gives why it could not be done. */
  private async act(path: string, body: unknown): Promise<string | undefined> {
    try {
      await tell(path, body, this.route.run)
      return undefined
    } catch (error) {
      return messageOf(error)
    }
  }

  async answer(answer: ToAnswer): Promise<string | undefined> {
    return this.act("/api/answer", answer)
  }

  /** Begins a run or a conversation that goes on from this one, and shows it; gives why it could not. */
  async begin(path: "/api/rerun" | "/api/fork", body: ToRerun | ToFork): Promise<string | undefined> {
    try {
      const { run } = await tellFor<{ readonly run: string }>(path, body, this.route.run)
      this.showRun(run)
      return undefined
    } catch (error) {
      return messageOf(error)
    }
  }

  async stop(call: number): Promise<void> {
    this.problem = (await this.act("/api/stop", { call })) ?? ""
    this.draw()
  }

  private move(change: Partial<Route.Route>): void {
    const route = { ...this.route, ...change }
    Route.write(route)
    this.go(route)
  }

  select(call: number | undefined, message?: number): void {
    this.pointed = message
    for (const { id } of this.model.lineage(call).slice(0, -1)) this.folded.delete(keyOf(id))
    this.move({ call, chat: undefined })
  }

  narrow(filter: Partial<Filter>): void {
    this.move(filter)
  }

  showRun(run: string | undefined): void {
    this.move({ run, call: undefined, t: undefined, chat: undefined })
  }

  fold(key: string, folded = !this.folded.has(key)): void {
    if (folded) this.folded.add(key)
    else this.folded.delete(key)
    this.draw()
  }

  zoom(span: Span | undefined): void {
    this.span = span
    this.draw()
  }

  open(panel: Panel): void {
    this.panel = panel
    this.draw()
  }

  /** Looks at a moment of the past, or at what goes on now. */
  seek(t: number | undefined): void {
    if (t === undefined) this.speed = 0
    this.move({ t: t === undefined ? undefined : Math.max(0, Math.min(t, this.end)) })
  }

  /** Plays the run at a speed; 0 stops it. */
  play(speed: number): void {
    this.speed = speed
    let last = performance.now()
    const step = (): void => {
      if (this.speed !== speed || speed === 0) return
      const now = performance.now()
      // ten steps a second
      const t = (this.route.t ?? 0) + (now - last) * speed * (this.inSteps ? 0.01 : 1)
      last = now
      if (t >= this.end) return this.seek(undefined)
      this.seek(t)
      requestAnimationFrame(step)
    }
    if (speed > 0) requestAnimationFrame(step)
    this.draw()
  }

  /** Asks for the state at a time; while it is on its way, only the last of what is asked meanwhile is asked next. */
  private async load(t: number): Promise<void> {
    if (this.seeking) return
    this.seeking = true
    try {
      const { call: focus, run } = this.route
      const update = await ask<Update>("/api/at", { t: Math.round(t), focus, run })
      if (this.route.t !== undefined) {
        this.past ??= new Model()
        this.past.apply(update, performance.now())
      }
    } catch (error) {
      this.problem = String(error)
    }
    this.seeking = false
    const { call, t: wanted } = this.route
    if (wanted !== undefined && (wanted !== t || (this.past?.focus?.call ?? undefined) !== call)) {
      if (this.problem === "" && this.model.rows.has(call ?? -1) === (call !== undefined)) void this.load(wanted)
      else if (wanted !== t) void this.load(wanted)
    }
    this.draw()
  }

  async search(query: string): Promise<void> {
    this.query = query
    this.panel = query === "" ? "" : "search"
    this.draw()
    const found =
      query.trim() === ""
        ? []
        : await ask<ReadonlyArray<Found>>("/api/search", { q: query.trim(), run: this.route.run })
    if (this.query !== query) return
    this.found = found
    this.draw()
  }
}
