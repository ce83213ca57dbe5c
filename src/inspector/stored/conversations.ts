/** The conversations of a store, each as a recording of one call that said all of it. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as Message from "../../Message.ts"
import * as Conversation from "../../store/Conversation.ts"
import * as Store from "../../store/Store.ts"
import { Recording } from "../record/recording.ts"
import { aboutOf, type Acts, type Shelf, type Shown } from "../server/shown.ts"
import type { About, Fields, ToFork } from "../wire.ts"

const prefix = "conversation:"

/** How many of what was opened is kept, the last ones. */
const mostOpen = 24

export class Conversations implements Shelf {
  private readonly store: Store.Service
  private readonly opened = new Map<string, Opened>()

  constructor(store: Store.Service) {
    this.store = store
  }

  get list(): Effect.Effect<ReadonlyArray<About>> {
    return Conversation.list().pipe(
      Effect.provideService(Store.Store, this.store),
      Effect.map((all) => all.map((info) => aboutOf({ about: () => about(info), recording: nothing, now: () => 0 }))),
      Effect.orElseSucceed(() => [])
    )
  }

  find(id: string | undefined): Effect.Effect<Shown | undefined> {
    if (id?.startsWith(prefix) !== true) return Effect.undefined
    const name = id.slice(prefix.length)
    return Effect.gen({ self: this }, function* () {
      const info = yield* Conversation.get(name)
      if (info === undefined) return undefined
      const opened = this.opened.get(name) ?? new Opened(name, this.store)
      this.opened.delete(name)
      this.opened.set(name, opened)
      const [oldest] = this.opened.keys()
      if (this.opened.size > mostOpen && oldest !== undefined) this.opened.delete(oldest)
      yield* opened.look
      return opened.shown
    }).pipe(
      Effect.provideService(Store.Store, this.store),
      Effect.orElseSucceed(() => undefined)
    )
  }
}

const nothing = new Recording()

const about = ({ length, name, parent }: Pick<Conversation.Info, "name" | "length" | "parent">) => ({
  id: prefix + name,
  title: name,
  startedAt: 0,
  live: false,
  unit: "steps" as const,
  status: `${length} ${length === 1 ? "message" : "messages"}${parent === undefined ? "" : `, from ${parent}`}`
})

class Opened {
  private readonly name: string
  private readonly store: Store.Service
  private readonly recording = new Recording()
  private readonly turn = Semaphore.makeUnsafe(1)
  /** The hash keys of its messages, and their numbers in the recording. */
  private said: ReadonlyArray<{ readonly key: string; readonly at: number }> = []
  private info: Conversation.Info | undefined = undefined
  private messages = 0

  constructor(name: string, store: Store.Service) {
    this.name = name
    this.store = store
    this.recording.add({ _tag: "run", format: 1, startedAt: 0, title: name })
    this.recording.add({ _tag: "call", t: 0, call: 0, path: name, agent: name, parameters: {} })
    for (const _tag of ["started", "returned", "spoken"] as const) {
      this.recording.add({ _tag, t: 0, call: 0, end: { is: "ok" } })
    }
  }

  /** Reads what is new, and takes back what is no longer there. */
  readonly look: Effect.Effect<void> = Effect.suspend(() =>
    this.turn.withPermit(
      Effect.gen({ self: this }, function* () {
        const info = yield* Conversation.get(this.name)
        if (info === undefined || info.version === this.info?.version) return
        const messages = yield* Conversation.messages(this.name)
        this.info = info
        this.tell(messages)
      }).pipe(Effect.provideService(Store.Store, this.store), Effect.ignore)
    )
  )

  private tell(messages: ReadonlyArray<Message.Message>): void {
    const { recording, said } = this
    const differs = said.findIndex(({ key }, i) => messages[i]?.hashKey !== key)
    const same = differs < 0 ? said.length : differs
    const t = recording.now + 1
    for (const { at } of said.slice(same)) recording.add({ _tag: "taken", t, at })
    const added = messages.slice(same).map((message, i) => {
      const at = this.messages++
      const json = Message.toJson(message) as unknown as Fields
      recording.add({ _tag: "message", t: t + i, at, message: json, hashKey: message.hashKey })
      recording.add({ _tag: "replied", t: t + i, call: 0, messages: [at] })
      return { key: message.hashKey, at }
    })
    this.said = [...said.slice(0, same), ...added]
  }

  get shown(): Shown {
    const { recording } = this
    const acts: Acts = { fork: (fork) => this.fork(fork) }
    const follow = Effect.forever(Effect.andThen(Effect.sleep("1 second"), this.look))
    return { about: () => about(this.info!), recording, now: () => recording.now, follow, acts }
  }

  /** Begins another conversation with what this one has up to a message. */
  private fork({ as, at }: ToFork): Effect.Effect<string, string> {
    const index = this.said.findIndex((said) => said.at === at)
    if (index < 0) return Effect.fail("The conversation no longer has this message")
    return Conversation.fork(this.name, as, { at: index + 1 }).pipe(
      Effect.provideService(Store.Store, this.store),
      Effect.mapError(({ message }) => message),
      Effect.as(prefix + as)
    )
  }
}
