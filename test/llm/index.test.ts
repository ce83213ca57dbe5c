/** `miniagents/llm` as a whole. */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

/** Runs a module in a Node that does not have these packages. */
const runWithout = (missing: ReadonlyArray<string>, code: string): string =>
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
            if (${JSON.stringify(missing)}.includes(name)) throw new Error("Cannot find package " + name)
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
    const printed = runWithout(
      ["openai", "@anthropic-ai/sdk"],
      `
      import * as Cause from "effect/Cause"
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      import { Anthropic } from "miniagents/anthropic"
      import { OpenAi } from "miniagents/openai"
      for (const layer of [Anthropic.layer(), OpenAi.layer()]) {
        await Effect.runPromise(Effect.scoped(Layer.build(layer)).pipe(
          Effect.catchCause((cause) => Effect.sync(() => console.log(Cause.hasDies(cause), Cause.squash(cause).message)))
        ))
      }`
    )
    const sentence = (name: string) =>
      `true the package \`${name}\` could not be loaded; is it installed? Run \`npm install ${name}\``
    assert.deepStrictEqual(printed.trim().split("\n"), [sentence("@anthropic-ai/sdk"), sentence("openai")])
  })

  it.each([
    ["openai", "openai"],
    ["anthropic", "@anthropic-ai/sdk"]
  ])("the provider `%s` needs no other SDK than its own", { timeout: 30_000 }, (missing, name) => {
    const printed = runWithout(
      [name],
      `
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      import { ModelChoice } from "miniagents/models"
      for (const provider of ["anthropic", "openai"]) {
        const choice = { provider, model: "m", apiKey: undefined, baseUrl: "http://127.0.0.1:1" }
        await Effect.runPromise(Effect.scoped(Layer.build(ModelChoice.layer(choice))).pipe(
          Effect.match({
            onSuccess: () => console.log(provider, "is there"),
            onFailure: ({ message, reason }) => console.log(reason, message)
          })
        ))
      }`
    )
    const sentence = `The provider \`${missing}\` needs a package that could not be loaded: run \`npm install ${name}\``
    assert.deepStrictEqual(
      printed.trim().split("\n"),
      ["anthropic", "openai"].map((provider) =>
        provider === missing ? `not installed ${sentence}` : `${provider} is there`
      )
    )
  })
})
