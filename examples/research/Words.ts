/**
 * Turns text into comparable terms: words and identifiers are split, lower-cased and stemmed.
 *
 * The search index, the keyphrases and the extraction share this one notion of a term, so that what one of them
 * finds the others recognise.
 *
 * @since 0.1.0
 */

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
    if (verb !== undefined && particles.has(word)) result.push(verb + word)
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
    if (verb !== undefined && particles.has(word)) {
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
 * The word without its simple English ending, in lower case: `retries`, `retried` and `retrying` give `retri`.
 *
 * **Gotchas**
 *
 * Shorter than Porter's algorithm and cruder. Words that share a stem by chance cost a little precision; the
 * ranking outweighs it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stem = (word: string): string => {
  const lower = word.toLowerCase()
  for (const [ending, replacement, shortest] of endings) {
    if (lower.length >= ending.length + shortest && lower.endsWith(ending)) {
      return normalize(lower.slice(0, lower.length - ending.length) + replacement)
    }
  }
  return normalize(lower)
}

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

const endings: ReadonlyArray<readonly [ending: string, replacement: string, shortest: number]> = [
  ["ications", "ic", 3],
  ["ication", "ic", 3],
  ["ations", "at", 3],
  ["ation", "at", 3],
  ["ments", "", 4],
  ["ment", "", 4],
  ["ions", "", 4],
  ["ion", "", 4],
  ["ings", "", 3],
  ["ing", "", 3],
  ["iers", "i", 3],
  ["ier", "i", 3],
  ["ers", "", 4],
  ["er", "", 4],
  ["ies", "i", 2],
  ["ied", "i", 2],
  ["ed", "", 3],
  ["es", "", 3],
  ["ss", "ss", 1],
  ["us", "us", 1],
  ["is", "is", 1],
  ["s", "", 3],
  ["ly", "", 4]
]

const normalize = (root: string): string => {
  let result = root
  if (result.length > 3 && result.endsWith("e")) result = result.slice(0, -1)
  if (result.length > 3 && /([bdgmnprt])\1$/.test(result)) result = result.slice(0, -1)
  if (result.length > 2 && result.endsWith("y")) result = `${result.slice(0, -1)}i`
  return result
}

const termsOfWord = (word: string): ReadonlyArray<string> => {
  const parts = word.match(partPattern) ?? []
  const whole = stem(word)
  if (parts.length < 2) return [whole]
  return [whole, ...parts.filter((part) => part.length > 1).map(stem)]
}

const stopWords = new Set(
  `a about across after all also am among an and another any are as at avoid be because been before being best better between but by can can't
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
  "share broadcast fanout",
  "consumer subscriber listener",
  "send export publish emit",
  "close release cleanup dispose finalizer teardown",
  "promise async await",
  "retry backoff repeat",
  "delay wait sleep",
  "trace tracing span telemetry",
  "error failure exception",
  "function tool",
  "command cli terminal",
  "batch bulk group",
  "config configuration environment env setting",
  "database db sql",
  "login authentication authorization auth",
  "time clock date",
  "log logger logging",
  "parallel concurrent concurrency",
  "cancel abort interrupt stop shutdown ctrl sigint",
  "start run launch spawn",
  "validate check parse decode",
  "check guard predicate",
  "stream sequence",
  "remember history store",
  "dependency service injection"
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
