/** The examples with models, as a person with a key runs them: against servers on the loopback interface. */
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Scope } from "effect"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as Loopback from "./Loopback.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"

const examples = fileURLToPath(new URL("../../examples/", import.meta.url))
const greeting = `
YOU ARE NOW IN A CHAT WITH AN AI ASSISTANT

Press Enter to send your message.
Press Ctrl+C (or type "exit") to quit the conversation.

`

interface Run {
  readonly folder: string
  readonly environment?: { readonly [name: string]: string }
  readonly input?: string
  /** What has been printed so far, whenever there is more. */
  readonly onPrint?: (printed: string) => void
}

/** Runs an example in a folder, without what the environment says of models, and gives what it prints. */
const run = (example: string, { environment = {}, folder, input = "", onPrint = () => {} }: Run) =>
  Effect.callback<string>((resume) => {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(OPENAI|ANTHROPIC|MINIAGENTS|NODE(?!_COMPILE_CACHE))_/.test(name)
    )
    const child = spawn(process.execPath, ["--conditions=miniagents-source", join(examples, `${example}.ts`)], {
      cwd: folder,
      env: { ...Object.fromEntries(inherited), ...environment }
    })
    let printed = ""
    for (const pipe of [child.stdout, child.stderr]) {
      pipe.setEncoding("utf8").on("data", (data) => onPrint((printed += String(data))))
    }
    child.stdin.end(input)
    child.on("error", (error) => resume(Effect.die(error)))
    child.on("close", (code) =>
      resume(code === 0 ? Effect.succeed(printed) : Effect.die(new Error(`exit ${code}: ${printed}`)))
    )
    return Effect.sync(() => child.kill())
  })

const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "miniagents-examples-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Text in pieces of a few words. */
const piecesOf = (text: string): ReadonlyArray<string> => text.split(/(?<=[ \n])/)

const gptSays = (text: string) => OpenAiWire.whole({ text: piecesOf(text), usage: [9, 12] })
const claudeSays = (text: string) => AnthropicWire.whole({ text: piecesOf(text), usage: [9, 12] })

const openAiAt = ({ url }: Loopback.Loopback) => ({ OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: "sk-1" })
const anthropicAt = ({ url }: Loopback.Loopback) => ({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: "sk-2" })

const job =
  "Your job is to improve the styling and grammar of the sentences that the user throws at you. Leave the sentences " +
  "unchanged if they seem fine."

const models = ["models/openai", "models/dialog", "models/roles", "models/several-models-at-once", "models/caching"]

describe("examples with models", { timeout: 60_000 }, () => {
  it.effect("models/openai prints what the model says, token by token as it comes", () =>
    Effect.gen(function* () {
      const seen = Promise.withResolvers<void>()
      const [begin, rest] = ["Hello! I'm doing well, ", "thank you for asking."]
      const { content, end, finish } = OpenAiWire.say({ text: [begin, rest], usage: [9, 12] })
      // the server goes on only when the beginning has been printed
      const server = yield* Loopback.serve((response) => {
        Loopback.startStream(response)
        for (const event of content.slice(0, -1)) response.write(event)
        void seen.promise.then(() => response.end([...content.slice(-1), ...finish, ...end].join("")))
      })
      const printed = yield* run("models/openai", {
        folder: yield* folder,
        environment: openAiAt(server),
        onPrint: (printed) => {
          if (printed.includes(begin)) seen.resolve()
        }
      })
      assert.strictEqual(printed, `${begin}${rest}\n\n`)
      assert.strictEqual(server.received[0]?.headers.authorization, "Bearer sk-1")
      assert.deepStrictEqual(server.received[0]?.body, {
        model: "gpt-4o-mini",
        messages: [
          { role: "system", content: "You are a helpful assistant." },
          { role: "user", content: "Hello, how are you?" }
        ],
        max_tokens: 50,
        temperature: 0.7,
        stream: true,
        stream_options: { include_usage: true }
      })
    })
  )

  it.effect("models/dialog is a dialog that is kept, goes on when it is started again, and is logged", () =>
    Effect.gen(function* () {
      const answers = [
        'Hello! The greeting "hi" is casual and perfectly acceptable.\nIt\'s grammatically correct.',
        "You're welcome!",
        "Goodbye, then."
      ]
      const server = yield* Loopback.serve((response, request, count) =>
        Loopback.stream(gptSays(answers[count - 1] ?? ""))(response, request, count)
      )
      const where = { folder: yield* folder, environment: { ...openAiAt(server), MINIAGENTS_MODEL: "qwen3:8b" } }
      const first = yield* run("models/dialog", { ...where, input: "hi\ngot it, thanks!\nexit\n" })
      const turns = answers.slice(0, 2).map((answer) => `USER: \nOPENAI_AGENT: ${answer}\n\n`)
      assert.strictEqual(first, `${greeting}${turns.join("")}USER: `)
      const again = yield* run("models/dialog", { ...where, input: "bye\n" })
      assert.include(again, `OPENAI_AGENT: ${answers[2]}\n\n`)

      const system = { role: "system", content: job }
      const said = [
        { role: "user", content: "hi" },
        { role: "assistant", content: answers[0] },
        { role: "user", content: "got it, thanks!" },
        { role: "assistant", content: answers[1] },
        { role: "user", content: "bye" }
      ]
      const sent = server.received.map((_, i) => Loopback.bodyField(server, "messages", i))
      assert.deepStrictEqual(sent, [
        [...said.slice(0, 1), system],
        [...said.slice(0, 3), system],
        [...said, system]
      ])
      assert.deepInclude(server.received[0]?.body, { model: "qwen3:8b", max_tokens: 1000 })

      const logs = join(where.folder, "llm_logs")
      const names = readdirSync(logs).sort()
      assert.strictEqual(names.length, 3)
      for (const [i, name] of names.entries()) {
        assert.match(name, /^\d{8}_\d{6}__\d{3}__qwen3-8b__[0-9a-f]{6}\.md$/)
        const log = readFileSync(join(logs, name), "utf8")
        assert.match(log, /^Dialog\/0:Loop\//)
        assert.include(log, `system\n${"=".repeat(40)}\n> ${job}\n`)
        assert.include(log, `assistant / qwen3:8b\n${"=".repeat(40)}\n> ${answers[i]?.replaceAll("\n", "\n> ")}\n`)
        assert.include(log, '"outputTokens": 12')
        assert.notInclude(log, "sk-1")
      }
      assert.notInclude(readFileSync(join(where.folder, "CHAT.md"), "utf8"), "sk-1")
    })
  )

  it.effect("models/roles shows the roles of messages", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(gptSays("Jupiter.")))
      const printed = yield* run("models/roles", { folder: yield* folder, environment: openAiAt(server) })
      const lines = [
        "user: Hello!",
        "system: Answer with one word.",
        "assistant: Hi.",
        "user: Which is the largest planet?",
        "assistant: Jupiter."
      ]
      assert.strictEqual(printed, `${lines.join("\n")}\n`)
      const messages = lines
        .slice(0, -1)
        .map((line) => line.split(": "))
        .map(([role, content]) => ({ role, content }))
      assert.deepStrictEqual(Loopback.bodyField(server, "messages"), messages)
    })
  )

  it.effect("models/several-models-at-once asks several models at once, and a third one about what they say", () =>
    Effect.gen(function* () {
      const claudeAsked = Promise.withResolvers<void>()
      // the first one in the code answers only when the second one has been asked
      const gpt = yield* Loopback.serve((response, request, count) => {
        const text = count === 1 ? "Tea." : "They disagree."
        void claudeAsked.promise.then(() => Loopback.stream(gptSays(text))(response, request, count))
      })
      const claude = yield* Loopback.serve((response, request, count) => {
        claudeAsked.resolve()
        Loopback.stream(claudeSays("Coffee."))(response, request, count)
      })
      const environment = { ...openAiAt(gpt), ...anthropicAt(claude) }
      const printed = yield* run("models/several-models-at-once", { folder: yield* folder, environment })
      assert.strictEqual(printed, "GPT: Tea.\n\nCLAUDE: Coffee.\n\nJUDGE: They disagree.\n\n")
      const question = { role: "user", content: "Tea or coffee?" }
      assert.deepStrictEqual(Loopback.bodyField(gpt, "messages"), [question])
      assert.deepStrictEqual(Loopback.bodyField(claude, "messages"), [
        { role: "user", content: [{ type: "text", text: "Tea or coffee?" }] }
      ])
      assert.deepStrictEqual((Loopback.bodyField(gpt, "messages", 1) as ReadonlyArray<unknown>).slice(1), [
        question,
        { role: "assistant", content: "Tea." },
        { role: "assistant", content: "Coffee." }
      ])
    })
  )

  it.effect("models/caching says what was read from the cache and written to it", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((response, request, count) => {
        const usage = {
          input_tokens: 5,
          cache_read_input_tokens: 3000 * (count - 1),
          cache_creation_input_tokens: 3000
        }
        const events = [
          AnthropicWire.start(usage),
          ...AnthropicWire.block(0, { type: "text", text: "The Rhine." }),
          AnthropicWire.finish("end_turn", { output_tokens: 4 }),
          AnthropicWire.stop
        ]
        Loopback.stream(events)(response, request, count)
      })
      const printed = yield* run("models/caching", { folder: yield* folder, environment: anthropicAt(server) })
      assert.strictEqual(
        printed,
        [0, 3000, 6000].map((read, i) => `turn ${i + 1}: ${read} tokens from the cache, 3000 into it\n`).join("")
      )
      assert.include(JSON.stringify(server.received[2]?.body), '"cache_control":{"type":"ephemeral"}')
    })
  )

  it.effect("models/objects shows what a model writes before all of it is there", () =>
    Effect.gen(function* () {
      const json = JSON.stringify({ title: "Soup", steps: ["Rinse.", "Cook."], minutes: 25 })
      const server = yield* Loopback.serve(
        Loopback.stream(OpenAiWire.whole({ text: json.split(/(?<=[,{])/), usage: [9, 12] }))
      )
      const printed = yield* run("models/objects", { folder: yield* folder, environment: openAiAt(server) })
      assert.strictEqual(printed, "Soup\n1. Rinse.\n2. Cook.\n(25 minutes)\n")
    })
  )

  it.effect.each([
    ["models/caching", "Set ANTHROPIC_API_KEY to run this example.\n"],
    ["models/openai", "Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, to run this example.\n"],
    ["models/dialog", "Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, to run this example.\n"],
    ["models/roles", "Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, to run this example.\n"],
    [
      "models/several-models-at-once",
      "Set OPENAI_API_KEY and ANTHROPIC_API_KEY, or addresses of your own, to run this example.\n"
    ]
  ] as const)("%s says in one sentence what it takes", ([example, sentence]) =>
    Effect.gen(function* () {
      const where = { folder: yield* folder, input: "hi\n" }
      // an empty key is none; they all ask in the same way, so one is run without any as well
      const empty = { OPENAI_API_KEY: "", ANTHROPIC_API_KEY: " " }
      for (const environment of example === "models/openai" ? [{}, empty] : [empty]) {
        assert.strictEqual(yield* run(example, { ...where, environment }), sentence)
      }
    })
  )

  it.each(models)("%s is short, and says how to run it and what it prints", (example) => {
    const source = readFileSync(join(examples, `${example}.ts`), "utf8")
    assert.isAtMost(source.trimEnd().split("\n").length, 60)
    assert.include(source, `\n * Run: node --conditions=miniagents-source examples/${example}.ts\n`)
    assert.match(source, /\n \* Prints[ ,]/)
  })
})
