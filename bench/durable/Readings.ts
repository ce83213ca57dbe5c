/** What readers of a run were given, and whether it is a prefix of what the run has said in the end. */
import type { Transcript } from "miniagents"

interface Said {
  text: string
  key: string | undefined
}

/** What a reader has, from one event to the next. */
export class Reading {
  readonly said: Array<Said> = []
  resets = 0
  end: Transcript.Event["_tag"] | undefined
  /** What is wrong with what it was given, if anything is. */
  problem: string | undefined

  take(event: Transcript.Event): void {
    if (this.end !== undefined) this.problem = `${event._tag} after the end`
    switch (event._tag) {
      case "open":
        if (event.at !== this.said.length) this.problem = `message ${event.at} after ${this.said.length}`
        this.said.push({ text: "", key: undefined })
        return
      case "text": {
        const message = this.said[event.at]
        if (message === undefined || message.text.length + event.text.length !== event.to) {
          this.problem = `text of message ${event.at} up to ${event.to} after ${message?.text.length}`
        } else message.text += event.text
        return
      }
      case "message": {
        const message = this.said[event.at]
        if (message === undefined || message.key !== undefined) this.problem = `message ${event.at} twice`
        else message.key = event.hashKey
        return
      }
      case "reset":
        this.resets++
        this.said.length = Math.min(this.said.length, event.at + 1)
        this.said[event.at] = { text: this.said[event.at]!.text.slice(0, event.to), key: undefined }
        return
      default:
        this.end = event._tag
    }
  }

  /** Whether another reading begins with this one. */
  isPrefixOf(whole: Reading): boolean {
    return this.said.every(({ key, text }, i) => {
      const other = whole.said[i]
      if (other === undefined || !other.text.startsWith(text)) return false
      return key === undefined ? i === this.said.length - 1 || other.text.startsWith(text) : other.key === key
    })
  }
}
