/** `Html.toMarkdown` in a thread of its own: a page that is hard to read keeps nobody waiting, and is given up in time. */
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as Html from "./Html.ts"

type Markdown = ReturnType<typeof Html.toMarkdown>

/** Fails when the page nests too deep, or takes too long or too much memory. Two pages are read at a time. */
export const toMarkdown = (html: string): Effect.Effect<Markdown, "too intricate"> =>
  threads.withPermit(
    Effect.callback<Markdown, "too intricate">((resume) => {
      const worker = new Worker(new URL("./HtmlThread.ts", import.meta.url), {
        workerData: html,
        execArgv: [],
        resourceLimits: { maxOldGenerationSizeMb: 256 }
      })
      worker.on("message", (markdown: Markdown) => resume(Effect.succeed(markdown)))
      worker.on("error", () => resume(Effect.fail("too intricate")))
      worker.on("exit", () => resume(Effect.fail("too intricate")))
      return Effect.promise(() => worker.terminate())
    }).pipe(Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail("too intricate" as const) }))
  )

const threads = Semaphore.makeUnsafe(2)
const patience = "10 seconds"
