/** One open page: what it looks at, and what of that it has not been told yet. */
import type { Recording } from "../record/recording.ts"
import * as Views from "../record/views.ts"
import type { About, Detail, Focus, Row, Update } from "../wire.ts"

/** What a recording is about, and its time. */
interface Clocked {
  readonly about: () => About
  readonly now: () => number
}

/**
 * Gathers what changes between two updates, so that a page that is slow is told less often and not more at once.
 */
export class PageView {
  private readonly recording: Recording
  private readonly shown: Clocked
  private focus: number | undefined
  private readonly onChange: () => void
  private readonly remove: () => void
  private readonly calls = new Set<number>()
  private readonly messages = new Set<number>()
  /** How much of the text of each message of the focus was told. */
  private readonly told = new Map<number, number>()
  /** The spans of the focus that are to be told. */
  private readonly spans = new Set<number>()
  private first = true
  private isNewFocus = true

  /** `onChange` is called whenever there is something to tell. */
  constructor(recording: Recording, shown: Clocked, focus: number | undefined, onChange: () => void) {
    this.recording = recording
    this.shown = shown
    this.focus = focus
    this.onChange = onChange
    this.remove = recording.listen({
      call: (id) => {
        this.calls.add(id)
        onChange()
      },
      message: (at, to) => {
        const told = this.told.get(at)
        if (told !== undefined && to !== undefined && to < told) this.told.set(at, to)
        if (this.told.has(at)) this.messages.add(at)
        onChange()
      },
      span: (call, id) => {
        if (call !== this.focus) return
        this.spans.add(id)
        onChange()
      }
    })
  }

  /** Looks at another call, from the next update on. */
  look(focus: number | undefined): void {
    this.focus = focus
    this.told.clear()
    this.isNewFocus = true
    if (focus !== undefined) this.calls.add(focus)
    this.onChange()
  }

  close(): void {
    this.remove()
  }

  /** All that is new since the last time. */
  update(): Update {
    const { first, recording } = this
    this.first = false
    const changed = first ? recording.calls : [...this.calls].map((id) => recording.calls[id]!)
    const rows: Array<Row> = []
    for (const call of changed) if (call !== undefined) rows.push(Views.row(recording, call))
    const focus = this.focusUpdate(first || this.calls.has(this.focus ?? -1))
    this.calls.clear()
    this.messages.clear()
    this.spans.clear()
    return {
      about: this.shown.about(),
      now: this.shown.now(),
      events: recording.events.length,
      rows,
      ...(first ? { all: true } : {}),
      ...(focus === undefined ? {} : { focus })
    }
  }

  private focusUpdate(changed: boolean): Focus | undefined {
    const call = this.recording.calls[this.focus ?? -1]
    if (call === undefined) return undefined
    const detail = changed ? Views.detail(this.recording, call) : undefined
    const messages = new Set(this.messages)
    for (const at of messagesOf(detail)) if (!this.told.has(at)) messages.add(at)
    const spans = (this.isNewFocus ? call.spans : [...this.spans]).map((id) => Views.span(this.recording.spans[id]!))
    this.isNewFocus = false
    if (detail === undefined && messages.size === 0 && spans.length === 0) return undefined
    const said = [...messages].flatMap((at) => {
      const message = this.recording.messages[at]
      if (message === undefined) return []
      const from = this.told.get(at) ?? 0
      this.told.set(at, message.text.length)
      return [Views.said(message, from)]
    })
    return { call: call.id, messages: said, spans, ...(detail === undefined ? {} : { detail }) }
  }
}

const messagesOf = (detail: Detail | undefined): ReadonlyArray<number> =>
  detail === undefined ? [] : [...detail.sent, ...detail.replied]
