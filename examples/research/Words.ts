/**
 * Turns text into comparable terms: words and identifiers are split, lower-cased and stemmed.
 *
 * The search index, the keyphrases and the extraction share this one notion of a term, so that what one of them
 * finds the others recognise.
 *
 * @since 0.1.0
 */
import { stemmer } from "stemmer"

/**
 * The terms a text was split into before, by word. Pass one memo to many calls to split each distinct word once.
 *
 * @since 0.1.0
 * @category models
 */
export type Memo = Map<string, ReadonlyArray<string>>

/**
 * The terms of a text in reading order, repetitions and stop words included: `Stream.fromIterable` gives `stream`,
 * `fromiterabl`, `from` and `iterabl`, and `shut down` gives `shutdown` as well.
 *
 * @since 0.1.0
 * @category constructors
 */
export const terms = (text: string, memo: Memo = new Map()): Array<string> => {
  const result: Array<string> = []
  for (const word of text.match(wordPattern) ?? []) {
    const verb = result[result.length - 1]
    let found = memo.get(word)
    if (found === undefined) {
      found = termsOfWord(word)
      memo.set(word, found)
    }
    for (const term of found) result.push(term)
    if (verb !== undefined && joined.has(verb + word)) result.push(verb + word)
  }
  return result
}

/**
 * The distinct terms of a question that carry a topic.
 *
 * @since 0.1.0
 * @category constructors
 */
export const topics = (question: string): Array<string> => {
  const result = new Set<string>()
  let verb: string | undefined
  for (const word of question.match(/[\p{L}\p{N}_$'’]+/gu) ?? []) {
    if (verb !== undefined && joined.has(verb + word)) {
      result.delete(verb)
      result.add(verb + word)
    }
    const topic = word.length > 1 && !isStopWord(word)
    verb = topic ? stem(word) : undefined
    if (topic && !particles.has(word)) for (const term of terms(word)) if (term.length > 1) result.add(term)
  }
  return [...result]
}

/**
 * The words of a text as they are written, without splitting identifiers: `Stream.fromIterable` is one word.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (text: string): Array<string> => text.match(phrasePattern) ?? []

/**
 * The word without its English ending, in lower case, by Porter's algorithm: `retries`, `retried` and `retrying` give
 * `retri`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stem = (word: string): string => {
  const lower = word.toLowerCase()
  return stemmer(irregular.get(lower) ?? lower)
}

/**
 * Whether the question has the term as a name: with a capital letter that is not that of a sentence.
 *
 * @since 0.1.0
 * @category guards
 */
export const isName = (term: string, question: string): boolean =>
  (question.match(/(?<=[^.?!:]\s+|[("'`])[\p{L}\p{N}_$]*\p{Lu}[\p{L}\p{N}_$]*/gu) ?? []).some((word) =>
    terms(word).includes(term)
  )

/**
 * Whether the word carries no topic of its own (`how`, `the`, `my`), in any case.
 *
 * @since 0.1.0
 * @category guards
 */
export const isStopWord = (word: string): boolean => stopWords.has(word.toLowerCase().replaceAll("’", "'"))

/**
 * Whether the word is written like code: `fromIterable`, `Stream.map`, `snake_case`, `HttpClient`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isIdentifier = (word: string): boolean => identifierPattern.test(word)

/**
 * The terms that mean about the same as this one in writing about software, itself excluded.
 *
 * @since 0.1.0
 * @category combinators
 */
export const synonyms = (term: string): ReadonlyArray<string> => synonymTable.get(term) ?? []

/**
 * Whether the word only completes the verb before it: `up` in `clean up`.
 *
 * @since 0.1.0
 * @category guards
 */
export const isParticle = (word: string): boolean => particles.has(word)

const wordPattern = /[\p{L}\p{N}_$]+/gu
const phrasePattern = /[\p{L}\p{N}_$]+(?:[-.'’+#/]+[\p{L}\p{N}_$]+)*/gu
const identifierPattern = /[\p{L}\p{N}][._][\p{L}\p{N}]|\p{Ll}\p{Lu}|\p{Lu}\p{Lu}\p{Ll}/u
const partPattern = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{N}+|[^\p{Lu}\p{Ll}\p{N}_$]+/gu

// `clean up` and `cleanup` are one idea, and so are `shut down` and `shutdown`.
const particles = new Set(["up", "down", "out", "off", "back"])
const joined = new Set(
  `backup breakdown checkout cleanup fallback fanout lookup logout optout pickup rollback setup shutdown signup slowdown
  startup teardown timeout turnoff wrapup`.split(/\s+/)
)

// Verbs whose forms no ending tells.
const irregular: ReadonlyMap<string, string> = new Map(
  `began begun begin; broke broken break; bought buy; built build; caught catch; chose chosen choose; drew drawn draw; drove
  driven drive; fell fallen fall; found find; forgot forgotten forget; froze frozen freeze; gave given give; grew grown grow;
  held hold; hid hidden hide; kept keep; knew known know; left leave; lost lose; meant mean; met meet; ran run; rose risen rise;
  said say; sent send; shown show; spent spend; spoke spoken speak; stood stand; taught teach; thought think; threw thrown
  throw; took taken take; told tell; understood understand; wrote written write`
    .split(";")
    .flatMap((group) => {
      const forms = group.trim().split(/\s+/)
      return forms.slice(0, -1).map((form) => [form, forms[forms.length - 1]!] as const)
    })
)

const termsOfWord = (word: string): ReadonlyArray<string> => {
  const parts = word.match(partPattern) ?? []
  const whole = stem(word)
  if (parts.length < 2) return [whole]
  return [whole, ...parts.filter((part) => part.length > 1).map(stem)]
}

const stopWords = new Set(
  `a about certain several various new across after all also am among an and another any are as at avoid be because been before being best better between but by can can't
  could did do does doesn't doing don't done each else even ever every few for from get gets getting give gives go
  good got had has have having he help her here his how however i i'd i'll i'm i've if in inside instead into is
  isn't it it's its just kind kinds know let lets like long make makes making many may me might more most much must
  my need needs never no nor not now of off on once one ones only or other our out over own per please possible problem
  really same shall she should show so some something still such sure take tell than that that's the their them
  then there these they thing things this those through to too under until up us use used uses using very want was
  way ways we well were what what's when where whether which while who whom whose why will with within without
  won't work works would you your`.split(/\s+/)
)

// General vocabulary of programming, not of any one library: each line holds words that people use for one idea.
const synonymGroups: ReadonlyArray<string> = [
  "ask approve confirm decide",
  "batch bulk group",
  "browser page web",
  "cache memo memoize",
  "calculate compute calculation computation",
  "cancel abort interrupt stop shutdown ctrl sigint",
  "change modify mutate update edit",
  "check guard predicate",
  "check test assert verify",
  "close release cleanup dispose finalizer teardown end",
  "command cli terminal",
  "config configuration environment setting option",
  "consumer subscriber listener",
  "copy clone duplicate",
  "crash kill restart recover",
  "database db sql",
  "delay wait sleep",
  "delete remove drop",
  "dependency service injection",
  "environment env",
  "error failure exception",
  "expensive costly slow",
  "expose access",
  "fetch load retrieve",
  "folder directory",
  "function tool",
  "huge large big",
  "id identifier",
  "image picture photo",
  "immutable frozen readonly",
  "item element entry member",
  "join merge combine concatenate",
  "json structured",
  "key property field",
  "list array",
  "log logger logging",
  "login authentication authorization auth",
  "measure profile benchmark",
  "number integer",
  "parallel concurrent concurrency",
  "parse decode",
  "promise async await",
  "remember history store",
  "retry backoff repeat",
  "save store persist keep",
  "send export publish emit",
  "share broadcast fanout",
  "shape schema",
  "shorten truncate compact compaction summarize summary",
  "show display see",
  "shuffle random",
  "skip ignore omit",
  "sort order",
  "start run launch spawn",
  "stream sequence",
  "time clock date",
  "trace tracing span telemetry",
  "turnoff disable",
  "validate check",
  "worker thread"
]

const synonymTable: ReadonlyMap<string, ReadonlyArray<string>> = (() => {
  const table = new Map<string, Array<string>>()
  for (const group of synonymGroups) {
    const stems = [...new Set(group.split(" ").map(stem))]
    for (const term of stems) {
      table.set(term, [...(table.get(term) ?? []), ...stems.filter((other) => other !== term)])
    }
  }
  return table
})()
