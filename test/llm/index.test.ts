/** `miniagents/llm` as a whole. */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

/** Runs a module in a Node that has neither SDK. */
const runWithoutSdks = (code: string): string =>
  execFileSync(
    process.execPath,
    [
      "--conditions=miniagents-source",
      "--input-type=module",
      "--import",
      `data:text/javascript,${encodeURIComponent(`
        import { registerHooks } from "node:module"
        registerHooks({
          resolve: (name, context, next) => {
            if (name === "openai" || name === "@anthropic-ai/sdk") throw new Error("Cannot find package " + name)
            return next(name, context)
          }
        })`)}`,
      "--eval",
      code
    ],
    { cwd: fileURLToPath(new URL("../..", import.meta.url)), encoding: "utf8" }
  )

describe("miniagents/llm", () => {
  it("loads without the SDKs, and says which one is missing when it is needed", { timeout: 30_000 }, () => {
    const printed = runWithoutSdks(`
      import * as Cause from "effect/Cause"
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      import { Anthropic, OpenAi } from "miniagents/llm"
      for (const layer of [Anthropic.layer(), OpenAi.layer()]) {
        await Effect.runPromise(Effect.scoped(Layer.build(layer)).pipe(
          Effect.catchCause((cause) => Effect.sync(() => console.log(Cause.hasDies(cause), Cause.squash(cause).message)))
        ))
      }`)
    const sentence = (name: string) =>
      `true the package \`${name}\` could not be loaded; is it installed? Run \`npm install ${name}\``
    assert.deepStrictEqual(printed.trim().split("\n"), [sentence("@anthropic-ai/sdk"), sentence("openai")])
  })
})
