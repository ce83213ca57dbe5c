/** What the agents of the research run say to each other, beside plain text. */
import * as Schema from "effect/Schema"
import { Message } from "miniagents"
import * as Extract from "./Extract.ts"
import * as SearchIndex from "./SearchIndex.ts"

/** Something that just happened, for whoever watches. */
export class Progress extends Message.Class<Progress>()("Progress", { content: Schema.String }) {}

/** What a search found, best first. */
export class Found extends Message.Class<Found>()("Found", {
  query: Schema.String,
  source: Schema.Literals(["documents", "web"]),
  hits: Schema.Array(SearchIndex.Hit)
}) {}

/** What a reader picked from one passage. */
export class Quoted extends Message.Class<Quoted>()("Quoted", {
  quotes: Schema.Array(Extract.Quote)
}) {}

/** The question has no word to search for. */
export class NothingToSearch extends Schema.TaggedError<NothingToSearch>()("NothingToSearch", {
  question: Schema.String
}) {
  override get message(): string {
    return `There is nothing to search for in \`${this.question}\`: ask with the words that the answer would use`
  }
}

/** Nothing in the documents answers the question. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", { question: Schema.String }) {
  override get message(): string {
    return `Nothing in the documents answers \`${this.question}\`: ask in other words, or search another folder with --docs`
  }
}

/** None of the passages that were found could be read; `reason` is that of the best one. */
export class NothingRead extends Schema.TaggedError<NothingRead>()("NothingRead", { reason: Schema.String }) {
  override get message(): string {
    return `None of what was found could be read: ${this.reason}`
  }
}

/** Nothing was found because nothing could be searched; `reason` is a sentence. */
export class NothingFound extends Schema.TaggedError<NothingFound>()("NothingFound", { reason: Schema.String }) {
  override get message(): string {
    return `Nothing was found: ${this.reason}`
  }
}
