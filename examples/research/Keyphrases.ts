/**
 * Breaks a question into search queries without a model.
 *
 * @since 0.1.0
 */
import * as Words from "./Words.ts"

/**
 * Up to five queries, the most specific first: the whole question without its stop words, then each identifier and
 * each run of neighbouring topic words. A question with one topic word gives one query, a question of nothing but
 * stop words none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (question: string): Array<string> => {
  const runs = topicRuns(question)
  const topics = runs.flat()
  const candidates = [
    topics.join(" "),
    ...topics.filter(Words.isIdentifier),
    ...runs.filter((run) => run.length > 1).map((run) => run.slice(0, longestPhrase).join(" ")),
    ...pairs(topics)
  ]
  const seen = new Set<string>()
  return candidates
    .filter((candidate) => {
      const key = Words.terms(candidate).toSorted().join(" ")
      if (key === "" || seen.has(key)) return false
      seen.add(key)
      return true
    })
    .slice(0, mostQueries)
}

const mostQueries = 5
const longestPhrase = 3

const topicRuns = (question: string): Array<Array<string>> => {
  const runs: Array<Array<string>> = [[]]
  for (const part of question.split(/[,;:?!()"]+|\.(?=\s|$)/)) {
    for (const word of Words.of(part)) {
      const run = runs[runs.length - 1]!
      if (Words.isParticle(word) && run.length > 0) run.push(`${run.pop()} ${word}`)
      else if (Words.isStopWord(word) || Words.isParticle(word)) runs.push([])
      else run.push(word)
    }
    runs.push([])
  }
  return runs.filter((run) => run.length > 0)
}

const pairs = (topics: ReadonlyArray<string>): Array<string> =>
  topics.slice(1).map((topic, i) => `${topics[i]} ${topic}`)
