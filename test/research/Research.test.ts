import { assert, layer } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { NoAnswer, NothingToSearch } from "../../examples/research/Findings.ts"
import * as Planner from "../../examples/research/Planner.ts"
import * as Reader from "../../examples/research/Reader.ts"
import * as Writer from "../../examples/research/Writer.ts"
import * as Questions from "./questions.ts"
import * as Run from "./Run.ts"

const question = "How can I retry with increasing delays and give up after a few attempts?"

const failureOf = (exit: Exit.Exit<unknown, unknown>): unknown =>
  Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined

layer(Layer.provideMerge(Run.Embedded, Run.Index))("the research agents", (it) => {
  it.effect("cite the correct file among the first three for at least 8 of 10 questions", () =>
    Effect.gen(function* () {
      let correct = 0
      for (const { files, question } of Questions.tuned) {
        const answer = yield* Run.replies(question).pipe(
          Effect.map((replies) => replies.at(-1)!.text),
          Effect.orElseSucceed(() => "")
        )
        if (
          Run.cited(answer)
            .slice(0, 3)
            .some((path) => files.includes(path))
        )
          correct++
      }
      assert.isAtLeast(correct, 8)
    })
  )

  it.effect("tell what they do before the answer", () =>
    Effect.gen(function* () {
      const replies = yield* Run.replies(question)
      assert.strictEqual(replies.at(-1)!.tag, "Assistant")
      const progress = replies.slice(0, -1)
      assert.isTrue(progress.every(({ tag }) => tag === "Progress"))
      assert.match(progress[0]!.text, /^Searching for "retry/)
      assert.isTrue(progress.some(({ text }) => text.startsWith("Found 20 passages for ")))
      assert.isTrue(
        progress.some(({ text }) => /^Read ai-docs\/src\/06_schedule\/10_schedules\.ts:\d+(?:-\d+)?: /.test(text))
      )
    })
  )

  it.effect("number what they cite, each with its file and lines", () =>
    Effect.gen(function* () {
      const { text } = (yield* Run.replies(question)).at(-1)!
      const numbers = [...text.matchAll(/\[(\d+)\]$/gm)].map((match) => match[1])
      const sources = [...text.matchAll(/^\[(\d+)\] \S+:\d+(-\d+)?$/gm)].map((match) => match[1])
      assert.isAtLeast(sources.length, 1)
      assert.deepStrictEqual(numbers, sources)
    })
  )

  it.effect("show a reader that fails, and go on with the others", () =>
    Effect.gen(function* () {
      let calls = 0
      const OneFails = Reader.Reader.toLayer((ctx) =>
        ++calls === 1 ? Effect.die(new Error("the page is torn")) : ctx.reply(`passage ${ctx.parameters.hit.id}`)
      )
      const Count = Writer.Writer.toLayer(
        Effect.fnUntraced(function* (ctx) {
          const read = yield* ctx.messages.messages
          yield* ctx.reply(`${read.filter(({ _tag }) => _tag === "Text").length} of ${read.length}`)
        })
      )
      const replies = yield* Effect.provide(Run.replies(question), Layer.merge(OneFails, Count))
      assert.isTrue(
        replies.some(({ tag, text }) => tag === "Progress" && /^Could not read.*: the page is torn$/.test(text))
      )
      assert.strictEqual(replies.at(-1)!.text, `${calls - 1} of ${calls}`)
    })
  )

  it.effect("can be planned by something else", () =>
    Effect.gen(function* () {
      const Fixed = Planner.Planner.toLayer((ctx) => ctx.reply(["retry", "exponential backoff"]))
      const [first] = yield* Effect.provide(Run.replies(question), Fixed)
      assert.strictEqual(first!.text, 'Searching for "retry", "exponential backoff"')
    })
  )

  it.effect("fail with a sentence when nothing answers the question", () =>
    Effect.gen(function* () {
      const error = failureOf(yield* Effect.exit(Run.replies("Who won the football world cup in 2018?")))
      assert.instanceOf(error, NoAnswer)
      assert.match(error.message, /Nothing in the documents answers `Who won/)
    })
  )

  it.effect("fail with a sentence when there is nothing to search for", () =>
    Effect.gen(function* () {
      assert.instanceOf(failureOf(yield* Effect.exit(Run.replies("How do I do it?"))), NothingToSearch)
    })
  )
})
