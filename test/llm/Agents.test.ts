/** What the agents of both providers have in common: they give up their request with their call, and no key away. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Layer, Stream } from "effect"
import type { Config } from "effect"
import type { Agent } from "miniagents"
import { Message, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmLogger } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import type { LlmAgent } from "miniagents/llm"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as Loopback from "./Loopback.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"
import { watched } from "./Wire.contract.ts"
import type { Wire } from "./Wire.contract.ts"

type Client = OpenAi.Client | Anthropic.Client

interface Subject extends Wire {
  readonly name: string
  readonly agent: Agent.Agent<LlmAgent.Parameters, LlmAgent.Errors<{}>, Client>
  readonly layer: Layer.Layer<Client, Config.ConfigError>
  readonly environment: (url: string, key: string) => { readonly [name: string]: string }
}

const subjects: ReadonlyArray<Subject> = [
  {
    name: "OpenAi",
    agent: OpenAi.agent.fork({ parameters: { model: "gpt" } }) as Subject["agent"],
    layer: OpenAi.layerConfig() as Layer.Layer<Client, Config.ConfigError>,
    environment: (url, key) => ({ OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key }),
    say: OpenAiWire.say
  },
  {
    name: "Anthropic",
    agent: Anthropic.agent.fork({ parameters: { model: "claude" } }) as Subject["agent"],
    layer: Anthropic.layerConfig() as Layer.Layer<Client, Config.ConfigError>,
    environment: (url, key) => ({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: key }),
    say: AnthropicWire.say
  }
]

const secret = "sk-test-Zm9vYmFyYmF6-0123456789"

for (const { agent, environment, layer, name, say } of subjects) {
  const reaching = (server: Loopback.Loopback) =>
    Layer.provide(layer, ConfigProvider.layer(ConfigProvider.fromUnknown(environment(server.url, secret))))
  const begun = (server: Loopback.Loopback) =>
    Effect.gen(function* () {
      const call = yield* agent.call()
      yield* call.send("Hi")
      const replies = yield* call.replies()
      yield* server.asked
      return { call, replies }
    })

  describe(`${name}.agent`, () => {
    const { content, end, finish } = say({ text: ["a", "b"], usage: [7, 3] })

    it.effect("closes its connection when its call is interrupted, and keeps what was said", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(content, "hang"))
        yield* Effect.gen(function* () {
          const { call, replies } = yield* begun(server)
          const heard: Array<string> = []
          yield* replies.pipe(
            Stream.flatMap((message) => message),
            Stream.take(2),
            Stream.runForEach((token) => Effect.sync(() => heard.push(token)))
          )
          yield* call.interrupt
          yield* server.closed
          assert.deepStrictEqual(heard, ["a", "b"])
          const exit = yield* Effect.exit(replies.messages)
          assert.isTrue(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause))
        }).pipe(Effect.provide([MiniAgents.layer(), reaching(server)]))
      })
    )

    it.effect.each<[string, Loopback.Handler, string]>([
      ["is cut", Loopback.stream(content, "cut"), "NetworkError"],
      ["ends too early", Loopback.stream(content), "NetworkError"],
      [
        "is no JSON any more",
        Loopback.stream([...content, "event: message_delta\ndata: {{\n\n"]),
        "InvalidResponseError"
      ]
    ])("gives the tokens so far and then the error, at its place, when the response %s", ([, handler, tag]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(handler)
        yield* Effect.gen(function* () {
          const replies = yield* agent.trigger("Hi")
          const heard: Array<string> = []
          const error = yield* replies.pipe(
            Stream.flatMap((message) => message),
            Stream.runForEach((token) => Effect.sync(() => heard.push(token))),
            Effect.flip
          )
          assert.deepStrictEqual([heard, error._tag === "AiError" && error.reason._tag], [["a", "b"], tag])
          const safe = yield* (yield* agent.trigger("Hi", {}, { errorsAsMessages: true })).messages
          assert.deepStrictEqual(
            safe.map((message) => [message._tag, "content" in message && message.content]),
            [["Failure", "ab"]]
          )
        }).pipe(Effect.provide([MiniAgents.layer(), reaching(server)]))
      })
    )

    it.effect("closes its connection when the program fails that it belongs to", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(() => {})
        const failing = Effect.andThen(begun(server), Effect.fail("no more"))
        yield* Effect.flip(failing.pipe(Effect.provide([MiniAgents.layer(), reaching(server)])))
        yield* server.closed
      })
    )

    it.effect.each<[string, Loopback.Handler]>([
      ["answers", Loopback.stream([...content, ...finish, ...end])],
      ["refuses the key and repeats it", Loopback.answer(401, { error: { message: `wrong key: ${secret}` } })],
      ["hangs up", (response) => void response.socket?.destroy()],
      ["hangs up in the middle", Loopback.stream(content, "cut")],
      [
        "says what is no JSON",
        Loopback.stream([...content, ...finish].map((event) => event.replace("{", `{${secret}`)))
      ]
    ])("gives its key away to no message, file, log or span when the server %s", ([, handler]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(handler)
        const folder = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "miniagents-secrets-"))),
          (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
        )
        const persisted: Array<unknown> = []
        const onPersistMessages = (messages: ReadonlyArray<Message.Message>) =>
          Effect.sync(() => void persisted.push(...messages.map(Message.serialize)))
        const [exits, seen] = yield* watched(
          Effect.gen(function* () {
            const asErrors = yield* Effect.exit((yield* agent.trigger("Hi")).messages)
            const asMessages = yield* (yield* agent.trigger("Hi", {}, { errorsAsMessages: true })).messages
            void (yield* agent.trigger("nobody reads this, and so its failure is logged"))
            yield* Effect.logInfo("done", asErrors, asMessages)
            return [asErrors, asMessages]
          }).pipe(
            Effect.provide([
              MiniAgents.layer({ onPersistMessages }),
              reaching(server),
              Layer.provide(LlmLogger.layer({ folder }), NodeFileSystem.layer)
            ])
          )
        )
        const files = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"))
        assert.deepStrictEqual([files.length, server.received.length], [3, 3])
        assert.include(JSON.stringify(server.received[0]?.headers), secret)
        const shown = [exits, persisted].map((value) => inspect(value, { depth: 20, showHidden: true }))
        for (const text of [...shown, JSON.stringify([exits, persisted]), ...files, ...seen]) {
          assert.notInclude(text, secret)
        }
      })
    )
  })
}
