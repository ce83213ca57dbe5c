import { assert, it } from "@effect/vitest"
import * as Keyphrases from "../../examples/research/Keyphrases.ts"
import * as Words from "../../examples/research/Words.ts"

it.each([
  ["retries", "retry"],
  ["retried", "retrying"],
  ["consumers", "consuming"],
  ["streams", "stream"],
  ["stopped", "stopping"],
  ["services", "service"],
  ["classes", "class"],
  ["configured", "configure"]
])("takes %s and %s for the same term", (a, b) => {
  assert.strictEqual(Words.stem(a), Words.stem(b))
})

it("splits identifiers and keeps them whole as well", () => {
  assert.includeMembers(Words.terms("Stream.fromIterable"), [
    "stream",
    Words.stem("fromIterable"),
    Words.stem("iterable")
  ])
  assert.includeMembers(Words.terms("HTTPServer snake_case"), ["http", "server", "snake", "case"].map(Words.stem))
})

it("takes a verb with its particle for one term", () => {
  assert.include(Words.terms("when it was shut down"), "shutdown")
  assert.deepStrictEqual(Words.topics("How do I shut it down? And clean up?"), ["shut", "cleanup"])
})

it("breaks a question into the whole, its identifiers and its phrases", () => {
  assert.deepStrictEqual(Keyphrases.of("How do I use `Stream.broadcast` for many slow consumers?"), [
    "Stream.broadcast slow consumers",
    "Stream.broadcast",
    "slow consumers",
    "Stream.broadcast slow"
  ])
  assert.deepStrictEqual(Keyphrases.of("How do I shut down a server?"), ["shut down server"])
})

it("gives at most five queries, one for a single topic and none for stop words alone", () => {
  assert.strictEqual(Keyphrases.of("one two alpha beta, gamma delta, epsilon zeta, eta theta, iota kappa").length, 5)
  assert.deepStrictEqual(Keyphrases.of("What about layers?"), ["layers"])
  for (const question of ["", "???", "How do I do it?", "the of and", "   "]) {
    assert.deepStrictEqual(Keyphrases.of(question), [])
  }
})
