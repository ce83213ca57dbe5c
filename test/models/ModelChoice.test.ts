/** The choice of a model by configuration. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Option, Redacted } from "effect"
import { LanguageModel, Model } from "effect/ai"
import { ModelChoice } from "miniagents/models"
import * as Loopback from "../llm/Loopback.ts"

type Environment = Readonly<Record<string, string>>

const choose = (env: Environment, options?: ModelChoice.Options) =>
  ModelChoice.choose(options).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))))

/** The words for the choice; an error is its reason and its sentence. */
const chosen = (env: Environment, options?: ModelChoice.Options) =>
  choose(env, options).pipe(
    Effect.map(Option.match({ onNone: () => "nothing", onSome: ModelChoice.describe })),
    Effect.catch(({ message, reason }) => Effect.succeed(`${reason}: ${message}`))
  )

const openAi = { OPENAI_API_KEY: "sk-1" }
const anthropic = { ANTHROPIC_API_KEY: "sk-2" }
const gemini = { GEMINI_API_KEY: "sk-3" }
const openRouter = { OPENROUTER_API_KEY: "sk-4" }
const azure = { AZURE_OPENAI_API_KEY: "sk-5", AZURE_OPENAI_ENDPOINT: "https://my.openai.azure.com" }
const known = "say `openai`, `anthropic`, `gemini`, `mistral`, `deepseek`, `openrouter`, `azure`, `ollama` or `none`"

describe("Provider", () => {
  it.effect.each<readonly [Environment, ModelChoice.Options | undefined, string]>([
    [{}, undefined, "nothing"],
    [{}, { provider: "", model: " " }, "nothing"],
    [{ OPENAI_API_KEY: "", OPENAI_BASE_URL: " ", MINIAGENTS_MODEL: "" }, undefined, "nothing"],
    [openAi, undefined, "openai gpt-5.2"],
    [anthropic, undefined, "anthropic claude-sonnet-5-5"],
    [{ ...openAi, ...anthropic }, undefined, "openai gpt-5.2"],
    [{ ...openAi, ...anthropic }, { model: "claude-opus-5-5" }, "anthropic claude-opus-5-5"],
    [openAi, { model: "claude-opus-5-5" }, "openai claude-opus-5-5"],
    [{ ...openAi, ...anthropic }, { provider: "Anthropic" }, "anthropic claude-sonnet-5-5"],
    [{ ...openAi, ...anthropic, MINIAGENTS_PROVIDER: "anthropic" }, undefined, "anthropic claude-sonnet-5-5"],
    [{ ...openAi, ...anthropic, MINIAGENTS_PROVIDER: "anthropic" }, { provider: "openai" }, "openai gpt-5.2"],
    [{ ...openAi, MINIAGENTS_MODEL: "a" }, undefined, "openai a"],
    [{ ...openAi, MINIAGENTS_MODEL: "a" }, { model: "b" }, "openai b"],
    [{ ...openAi, MINIAGENTS_PROVIDER: "none" }, undefined, "nothing"],
    [openAi, { provider: "none", model: "a" }, "nothing"],
    [{ OPENAI_BASE_URL: "http://localhost:11434/v1", MINIAGENTS_MODEL: "q" }, undefined, "openai q at localhost:11434"],
    [{ ...openAi, OPENAI_BASE_URL: "https://api.openai.com/v1/" }, undefined, "openai gpt-5.2 at api.openai.com"],
    [{ ANTHROPIC_BASE_URL: "http://me:secret@here/?t=1" }, { model: "c" }, "anthropic c at here"],
    [{ ...anthropic, OPENAI_BASE_URL: "nonsense" }, { provider: "anthropic" }, "anthropic claude-sonnet-5-5"],
    [gemini, undefined, "gemini gemini-3.5-flash"],
    [{ ...openAi, ...gemini }, undefined, "openai gpt-5.2"],
    [{ ...openAi, ...gemini }, { model: "gemini-3-pro" }, "gemini gemini-3-pro"],
    [{ ...openAi, ...gemini }, { model: "gemini/gemini-3-pro" }, "gemini gemini-3-pro"],
    [{ ...openAi, ...gemini }, { provider: "openai", model: "gemini/x" }, "openai gemini/x"],
    [{ ...gemini, MINIAGENTS_MODEL: "Gemini/a/b" }, undefined, "gemini a/b"],
    [{ MISTRAL_API_KEY: "k" }, undefined, "mistral mistral-large-latest"],
    [{ ...openAi, MISTRAL_API_KEY: "k" }, { model: "codestral-latest" }, "mistral codestral-latest"],
    [{ DEEPSEEK_API_KEY: "k" }, undefined, "deepseek deepseek-chat"],
    [openRouter, undefined, "openrouter openrouter/auto"],
    [openRouter, { model: "anthropic/claude-opus-5-5" }, "openrouter anthropic/claude-opus-5-5"],
    [{ ...openRouter, ...anthropic }, { model: "anthropic/claude-opus-5-5" }, "anthropic claude-opus-5-5"],
    [openRouter, { model: "openrouter/qwen/qwen3" }, "openrouter qwen/qwen3"],
    [openRouter, { model: "qwen/qwen3" }, "openrouter qwen/qwen3"],
    [{ OPENAI_BASE_URL: "http://here/v1" }, { model: "openai/gpt-oss" }, "openai openai/gpt-oss at here"],
    [openAi, { model: "openai/gpt-5" }, "openai gpt-5"],
    [azure, { model: "mine" }, "azure mine at my.openai.azure.com"],
    [{}, { model: "ollama/qwen3:8b" }, "ollama qwen3:8b"],
    [{ OLLAMA_HOST: "10.0.0.7" }, { model: "qwen3:8b" }, "ollama qwen3:8b at 10.0.0.7:11434"],
    [{}, { provider: "ollama", model: "a/b" }, "ollama a/b"]
  ])("%j with %j chooses %s", ([env, options, expected]) =>
    Effect.map(chosen(env, options), (choice) => assert.strictEqual(choice, expected))
  )

  it.effect.each<readonly [Environment, ModelChoice.Options | undefined, string]>([
    [{}, { provider: "minstrel" }, `unknown provider: --provider is \`minstrel\`, which is no provider: ${known}`],
    [
      { MINIAGENTS_PROVIDER: "toString" },
      undefined,
      `unknown provider: MINIAGENTS_PROVIDER is \`toString\`, which is no provider: ${known}`
    ],
    [
      openAi,
      { model: "gemini/gemini-3-pro" },
      "no key: The provider `gemini` needs a key: set GEMINI_API_KEY, or GEMINI_BASE_URL for a server that takes none"
    ],
    [
      { AZURE_OPENAI_ENDPOINT: "https://my.openai.azure.com" },
      undefined,
      "no key: The provider `azure` needs a key: set AZURE_OPENAI_API_KEY, and AZURE_OPENAI_ENDPOINT"
    ],
    [
      { AZURE_OPENAI_API_KEY: "k" },
      { model: "mine" },
      "no address: AZURE_OPENAI_ENDPOINT must be an address such as `http://localhost:11434/v1`, got ``"
    ],
    [
      openAi,
      { provider: "anthropic" },
      "no key: The provider `anthropic` needs a key: set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL for a server that takes none"
    ],
    [
      {},
      { model: "gpt-5" },
      "no provider: --model is `gpt-5`, but no provider is configured: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or OPENAI_BASE_URL for a server of your own"
    ],
    [
      { OPENAI_BASE_URL: "localhost:11434" },
      undefined,
      "no address: OPENAI_BASE_URL must be an address such as `http://localhost:11434/v1`, got `localhost:11434`"
    ],
    [
      { ANTHROPIC_BASE_URL: "ftp://me:secret@here?token=secret" },
      undefined,
      "no address: ANTHROPIC_BASE_URL must be an address such as `http://localhost:11434/v1`, got `ftp://here`"
    ]
  ])("%j with %j is one sentence that says what to set", ([env, options, expected]) =>
    Effect.map(chosen(env, options), (choice) => assert.strictEqual(choice, expected))
  )

  it.effect("keeps the key to itself", () =>
    Effect.gen(function* () {
      const choice = Option.getOrThrow(yield* choose({ OPENAI_API_KEY: " sk-1\n" }))
      assert.strictEqual(choice.apiKey && Redacted.value(choice.apiKey), "sk-1")
      assert.notInclude(`${JSON.stringify(choice)} ${ModelChoice.describe(choice)} ${String(choice.apiKey)}`, "sk-1")
    })
  )

  it.effect.each<readonly ["ANTHROPIC_BASE_URL" | "OPENAI_BASE_URL", string, string]>([
    ["OPENAI_BASE_URL", "/v1", "openai"],
    ["ANTHROPIC_BASE_URL", "", "anthropic"]
  ])("asks the server at %s which model it has", ([variable, path, name]) =>
    Effect.gen(function* () {
      let answer = Loopback.answer(200, { data: [{ id: "qwen3:8b" }] })
      const server = yield* Loopback.serve((...all) => answer(...all))
      const host = new URL(server.url).host
      const ask = chosen({ [variable]: `${server.url}${path}` })
      assert.strictEqual(yield* ask, `${name} qwen3:8b at ${host}`)
      assert.deepStrictEqual(
        server.received.map(({ method, url }) => `${method} ${url}`),
        ["GET /v1/models"]
      )
      assert.notProperty(server.received[0]?.headers, "authorization")
      const which = "say which to use with --model or MINIAGENTS_MODEL"
      answer = Loopback.answer(200, { data: [{ id: "a" }, { id: "b" }] })
      assert.strictEqual(yield* ask, `no model: The server at ${host} has several models: ${which} (\`a\`, \`b\`)`)
      answer = Loopback.answer(200, { data: Array.from({ length: 9 }, (_, i) => ({ id: `m${i}` })) })
      assert.match(yield* ask, /`m7`, and 1 more\)$/)
      const none = `no model: The server at ${host} says it has no model: load one, or ${which}`
      for (const body of [{ data: [] }, { data: null }, { data: [{ name: "x" }] }, []]) {
        answer = Loopback.answer(200, body)
        assert.strictEqual(yield* ask, none)
      }
      answer = Loopback.answer(404, { error: { message: "no such page" } })
      const refused = yield* ask
      assert.isTrue(refused.startsWith(`no model: The server at ${host} does not tell its models (`), refused)
      assert.include(refused, "no such page")
      assert.include(refused, which)
    })
  )

  it.effect.each<readonly [Environment, string]>([
    [{ OPENROUTER_API_KEY: "k", OPENROUTER_BASE_URL: "" }, "openrouter"],
    [{ OLLAMA_HOST: "" }, "ollama"],
    [{ AZURE_OPENAI_API_KEY: "k", AZURE_OPENAI_ENDPOINT: "" }, "azure"]
  ])("%j is asked at its own address, by the provider's own way to spell it", ([env, name]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.answer(200, { data: [{ id: "m" }] }))
      const [variable = ""] = Object.keys(env).slice(-1)
      const { host } = new URL(server.url)
      const address = name === "ollama" ? host : name === "openrouter" ? `${server.url}/api/v1` : server.url
      assert.strictEqual(yield* chosen({ ...env, [variable]: address }), `${name} m at ${host}`)
    })
  )

  it("knows the providers that the program takes by a flag", () => {
    assert.deepStrictEqual([...new Set(ModelChoice.names)].sort(), [
      "anthropic",
      "azure",
      "deepseek",
      "gemini",
      "mistral",
      "ollama",
      "openai",
      "openrouter"
    ])
    const { stdout } = spawnSync(
      process.execPath,
      ["--conditions=miniagents-source", "src/cli/main.ts", "ask", "--help"],
      {
        encoding: "utf8",
        cwd: fileURLToPath(new URL("../..", import.meta.url))
      }
    )
    for (const name of ModelChoice.names) assert.include(stdout, name)
  })

  it.effect("says that nobody is there", () =>
    Effect.gen(function* () {
      const url = yield* Loopback.nobody
      const said = yield* chosen({ OPENAI_BASE_URL: `${url}/v1` })
      assert.match(said, /^no model: The server at 127\.0\.0\.1:\d+ does not answer: is it running\? \(.*ECONNREFUSED/)
    })
  )

  it.effect.each<readonly ["ANTHROPIC_BASE_URL" | "OPENAI_BASE_URL", string, ReadonlyArray<object>]>([
    [
      "OPENAI_BASE_URL",
      "/v1",
      [
        { id: "1", object: "chat.completion.chunk", choices: [{ index: 0, delta: { content: "Hi" } }] },
        { id: "1", object: "chat.completion.chunk", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }
      ]
    ],
    [
      "ANTHROPIC_BASE_URL",
      "",
      [
        { type: "message_start", message: { id: "1", model: "m", usage: { input_tokens: 1, output_tokens: 0 } } },
        { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
        { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hi" } },
        { type: "content_block_stop", index: 0 },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 1 } },
        { type: "message_stop" }
      ]
    ]
  ])("is a layer of the model at %s", ([variable, path, events]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(
        Loopback.stream(
          events.map((event) => `${"type" in event ? `event: ${event.type}\n` : ""}data: ${JSON.stringify(event)}\n\n`)
        )
      )
      const choice = Option.getOrThrow(yield* choose({ [variable]: `${server.url}${path}`, MINIAGENTS_MODEL: "m" }))
      const said = yield* Effect.all([
        Model.ProviderName,
        Model.ModelName,
        Effect.map(LanguageModel.generateText({ prompt: "Hello" }), ({ text }) => text)
      ]).pipe(Effect.provide(ModelChoice.layer(choice)))
      assert.deepStrictEqual(said, [choice.provider, "m", "Hi"])
      assert.deepInclude(server.received[0]?.body, { model: "m", stream: true })
    })
  )
})
