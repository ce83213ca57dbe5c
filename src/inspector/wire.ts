/**
 * What a recording is made of, and what the page and its server say to each other: types alone, so that both sides
 * share them.
 */

/** A value of JSON. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** The fields of a message, or those that are known of it. */
export type Fields = { readonly [key: string]: Json }

/** What something failed with: the tag and the text of the error, the agents it came through, and its stack. */
export interface Failure {
  readonly error: string
  readonly reason: string
  readonly trace: ReadonlyArray<string>
  readonly stack?: string
}

/** How something ended: well, with a failure, or because it was interrupted. */
export type End = { readonly is: "ok" | "interrupted" } | { readonly is: "failed"; readonly failure: Failure }

/** The tokens of a request to a model. */
export interface Usage {
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly cacheReadTokens?: number
  readonly cacheWriteTokens?: number
  readonly reasoningTokens?: number
}

/** A tool that a model was offered. */
export interface OfferedTool {
  readonly name: string
  readonly description?: string
  readonly parameters?: Json
}

/**
 * One event of a recording, a line of its file. `t` is the time in milliseconds since the recording began. Calls,
 * messages and requests are numbered as they come, each from 0.
 *
 * - `run`: begins a recording; `startedAt` is in milliseconds since 1970.
 * - `call`, `started`, `returned`, `spoken`: a call was made, its body began, its body ended, its replies ended.
 * - `sent`, `replied`: these messages came into the input or the replies of a call.
 * - `open`, `text`, `message`, `broken`: a message under way, as in a transcript; one that was whole from the start has
 *   its `message` alone. `by` is the call that made it.
 * - `lost`: a request failed and goes on: it is made again, or another model takes over; `what` says which.
 * - `asked`, `answered`: a request to a model. `keeps` is how many messages of the prompt are those of the request
 *   before in the same call, and `prompt` is the rest.
 * - `waits`: a call waits for another one, or no longer; `stuck` if they wait for each other.
 * - `span`, `closed`: a span of a call began and ended. What was put on it until it ended comes with its end.
 * - `taken`: a message was taken back, or what it said after the UTF-16 offset `to`.
 * - `kept`: what a call was answered from outside of the run, as a journal keeps it: `reused` if by an earlier run.
 * - `named`: the call is the run of this id.
 * - `asks`: a run, which its outermost call stands for, waits for these answers from outside.
 */
export type Event =
  | { readonly _tag: "run"; readonly format: 1; readonly startedAt: number; readonly title: string }
  | {
      readonly _tag: "call"
      readonly t: number
      readonly call: number
      readonly parent?: number
      readonly path: string
      readonly agent: string
      readonly description?: string
      readonly parameters: Json
    }
  | { readonly _tag: "started"; readonly t: number; readonly call: number }
  | { readonly _tag: "returned"; readonly t: number; readonly call: number; readonly end: End }
  | { readonly _tag: "spoken"; readonly t: number; readonly call: number; readonly end: End }
  | {
      readonly _tag: "sent" | "replied"
      readonly t: number
      readonly call: number
      readonly messages: ReadonlyArray<number>
    }
  | { readonly _tag: "open"; readonly t: number; readonly at: number; readonly known: Fields; readonly by?: number }
  | { readonly _tag: "text"; readonly t: number; readonly at: number; readonly to: number; readonly text: string }
  | {
      readonly _tag: "message"
      readonly t: number
      readonly at: number
      readonly message: Fields
      readonly hashKey: string
      readonly by?: number
    }
  | { readonly _tag: "broken"; readonly t: number; readonly at: number; readonly failure?: Failure }
  | {
      readonly _tag: "asked"
      readonly t: number
      readonly request: number
      readonly call: number
      readonly step: number
      readonly model?: string
      readonly format: "text" | "json"
      readonly tools: ReadonlyArray<OfferedTool>
      readonly keeps: number
      readonly prompt: ReadonlyArray<Json>
      /** The rest of what its answer depends on, as a cassette tells requests apart. */
      readonly rest?: Fields
    }
  | ({ readonly _tag: "lost"; readonly t: number; readonly request: number } & Lost)
  | {
      readonly _tag: "answered"
      readonly t: number
      readonly request: number
      readonly model?: string
      readonly usage?: Usage
      readonly reason?: string
      readonly cost?: number
      readonly response?: ReadonlyArray<Moment>
      /** The error of the model, as a cassette keeps it. */
      readonly error?: Json
      /** Taken from the run that this one is a rerun of. */
      readonly reused?: true
      readonly end: End
    }
  | {
      readonly _tag: "waits"
      readonly t: number
      readonly call: number
      readonly on?: number
      readonly stuck?: true
    }
  | {
      readonly _tag: "span"
      readonly t: number
      readonly span: number
      readonly call: number
      readonly parent?: number
      readonly name: string
      readonly kind: string
      readonly attributes: Fields
    }
  | {
      readonly _tag: "closed"
      readonly t: number
      readonly span: number
      readonly end: End
      readonly attributes: Fields
      readonly notes: ReadonlyArray<Note>
    }
  | { readonly _tag: "taken"; readonly t: number; readonly at: number; readonly to?: number }
  | ({ readonly _tag: "kept"; readonly t: number; readonly call: number } & Kept)
  | { readonly _tag: "named"; readonly t: number; readonly call: number; readonly run: string }
  | { readonly _tag: "asks"; readonly t: number; readonly call: number; readonly waits: ReadonlyArray<Wait> }

/** A failure after which a request went on: made again (`model.retry`), or by another model (`model.fallback`). */
export interface Lost {
  readonly event: string
  readonly what: string
  readonly error: string
  readonly reason: string
}

/** An event of a span. */
export interface Note {
  readonly t: number
  readonly name: string
  readonly attributes: Fields
}

/** An answer from outside of a run: of a tool, a step, a signal, a time, the winner of a race. */
export interface Kept {
  readonly what: string
  readonly value: Json
  readonly reused?: true
}

/** Parts of a response that came together, and when: in milliseconds since the request. */
export interface Moment {
  readonly at: number
  readonly parts: ReadonlyArray<Json>
}

/** What a run waits for: the name of the signal, the call in which it is waited for, and what is to be decided. */
export interface Wait {
  readonly name: string
  readonly path: string
  readonly asks?: Json
}

/** What the models of one name have cost in a call. */
export interface ModelUse {
  readonly model: string
  readonly requests: number
  readonly running: number
  readonly failed: number
  readonly input: number
  readonly output: number
  readonly cached: number
  readonly cost: number
}

/** How a call stands. */
export type Status = "waiting to start" | "running" | "speaking" | "done" | "failed" | "interrupted"

/** A call as a row of the table: what stands in it, and what its bar is drawn from. */
export interface Row {
  readonly id: number
  readonly parent?: number
  readonly agent: string
  readonly path: string
  readonly status: Status
  readonly at: number
  readonly started?: number
  readonly returned?: number
  readonly spoken?: number
  /** What it failed with, in a line. */
  readonly failure?: string
  /** How many calls below it failed. */
  readonly failedBelow: number
  readonly waitsFor?: number
  readonly stuck?: true
  /** How many answers from outside the run waits for, which this call stands for. */
  readonly asks?: number
  readonly sent: number
  readonly replied: number
  /** Characters that this call said itself. */
  readonly chars: number
  readonly models: ReadonlyArray<ModelUse>
}

/** A message as it is shown. `text` is all of it from the offset `from` on; what comes before that was said already. */
export interface Said {
  readonly at: number
  readonly by?: number
  readonly opened: number
  readonly ended?: number
  readonly fields: Fields
  readonly hashKey?: string
  readonly from: number
  readonly text: string
  readonly failure?: Failure
  /** Ended without its whole: it failed, or was interrupted. */
  readonly broken?: true
  /** The calls that were sent it, and those that passed it on or said it. */
  readonly readBy: ReadonlyArray<number>
  readonly repliedBy: ReadonlyArray<number>
}

/** A request to a model as it is shown. */
export interface Asked {
  readonly request: number
  readonly step: number
  readonly model?: string
  readonly format: "text" | "json"
  readonly at: number
  readonly answered?: number
  readonly tools: ReadonlyArray<OfferedTool>
  readonly prompt: ReadonlyArray<Json>
  readonly usage?: Usage
  readonly reason?: string
  readonly cost?: number
  readonly lost: ReadonlyArray<Lost>
  readonly response?: ReadonlyArray<Moment>
  readonly reused?: true
  readonly end?: End
}

/** A span of a call as it is shown; `parent` is the span around it. */
export interface Span {
  readonly span: number
  readonly parent?: number
  readonly name: string
  readonly kind: string
  readonly at: number
  readonly ended?: number
  readonly end?: End
  readonly attributes: Fields
  readonly notes: ReadonlyArray<Note>
}

/** All of a call but its messages and spans, which come one by one. */
export interface Detail {
  readonly id: number
  readonly description?: string
  readonly parameters: Json
  /** The last messages of its input and of its replies; how many came before them. */
  readonly sent: ReadonlyArray<number>
  readonly sentBefore: number
  readonly replied: ReadonlyArray<number>
  readonly repliedBefore: number
  readonly asked: ReadonlyArray<Asked>
  /** What is waited for in this call or, where it stands for a run, in that. */
  readonly waits: ReadonlyArray<Wait>
  readonly kept: ReadonlyArray<Kept>
  /** The id of the run that it is. */
  readonly run?: string
  readonly returned?: End
  readonly spoken?: End
}

/** The call that a page looks at: what is new of it. */
export interface Focus {
  readonly call: number
  readonly detail?: Detail
  readonly messages: ReadonlyArray<Said>
  readonly spans: ReadonlyArray<Span>
}

/**
 * What can be done with what is shown: talk with its agents, stop a call, answer what a run waits for, run it again with
 * other words, begin another conversation in the middle of this one.
 */
export type Act = "chat" | "stop" | "answer" | "rerun" | "fork"

/** What a recording is about. */
export interface About {
  readonly id: string
  readonly title: string
  readonly startedAt: number
  /** When a run that is kept ended. */
  readonly endedAt?: number
  /** Whether the program still runs, as far as is known. */
  readonly live: boolean
  readonly can: ReadonlyArray<Act>
  /** Its time counts what was kept, one after the other; milliseconds unless said. */
  readonly unit?: "steps"
  /** How a run that is kept in a store stands. */
  readonly status?: string
}

/** What the server tells a page: first all rows, then those that changed. */
export interface Update {
  readonly about: About
  /** The time of the recording, in milliseconds since it began. */
  readonly now: number
  readonly events: number
  readonly all?: true
  readonly rows: ReadonlyArray<Row>
  readonly focus?: Focus
}

/** Where something was found: in which call, and in which message of it. */
export interface Found {
  readonly call: number
  readonly message?: number
  readonly where: "said" | "parameters" | "failure" | "prompt"
  readonly before: string
  readonly match: string
  readonly after: string
}

/** Where two calls first differ: in their parameters, in a message by its index, or in how they ended. */
export interface Difference {
  readonly where: "parameters" | "sent" | "replied" | "end"
  readonly at: number
  readonly left?: string
  readonly right?: string
}

/** A call of one or of two runs. */
export interface ComparedCall {
  readonly is: "same" | "changed" | "added" | "removed"
  readonly depth: number
  readonly agent: string
  readonly path: string
  readonly left?: number
  readonly right?: number
  readonly differs?: Difference
}

/** A run as a whole, for a comparison. */
export interface Side {
  readonly title: string
  readonly startedAt: number
  readonly time: number
  readonly calls: number
  readonly requests: number
  readonly input: number
  readonly output: number
  readonly cost: number
}

/** Two runs side by side, the calls in the order of the left one. */
export interface Compared {
  readonly left: Side
  readonly right: Side
  readonly calls: ReadonlyArray<ComparedCall>
}

/** What is said to an agent: in which conversation, after how many of its turns, and with which parameters. */
export interface ToSay {
  readonly chat: string
  readonly agent: string
  readonly text: string
  readonly keep: number
  readonly parameters: Json
}

/** The answer to what a run waits for: which run, by a call of it, and the signal by its name. */
export interface ToAnswer {
  readonly call: number
  readonly name: string
  readonly value: Json
}

/** A run that begins again: of the run that a call stands for, with other texts of what it was sent, or other parameters. */
export interface ToRerun {
  readonly call: number
  readonly texts: ReadonlyArray<{ readonly at: number; readonly text: string }>
  readonly parameters?: Json
}

/** Another conversation that begins with what this one has up to a message. */
export interface ToFork {
  readonly at: number
  readonly as: string
}

/** An agent that can be called from the page, with the JSON Schema of its parameters. */
export interface Callable {
  readonly name: string
  readonly description?: string
  readonly parameters: Json
}

/** A conversation with an agent: what was said to it, and the calls that answered. */
export interface Chat {
  readonly agent: string
  readonly turns: ReadonlyArray<{ readonly text: string; readonly call: number }>
}
