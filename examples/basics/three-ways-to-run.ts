/**
 * The runtime as a Layer around a program, in a scope opened by hand, and in a ManagedRuntime behind a web server.
 *
 * Run: node --conditions=miniagents-source examples/basics/three-ways-to-run.ts
 *
 * Prints:
 *   You said: a program
 *   You said: a scope
 *   You said: request 1
 *   You said: request 2
 */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, ManagedRuntime, Scope, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"

const echo = Agent.make("Echo", (ctx) => Effect.flatMap(ctx.messages.text, (said) => ctx.reply(`You said: ${said}`)))
const ask = (question: string) => Effect.flatMap(echo.trigger(question), (replies) => replies.text)
const withLayer = Effect.provide(ask("a program"), MiniAgents.layer())

const withScope = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const runtime = yield* Scope.provide(MiniAgents.make(), scope)
  return yield* ask("a scope").pipe(
    Effect.provideService(MiniAgents.MiniAgents, runtime),
    Effect.onExit((exit) => Scope.close(scope, exit)) // after success this waits for what the agents still do
  )
})

/** Any web framework will do: the runtime lives as long as the server, and a client that leaves ends its call. */
const withServer = Effect.promise(async () => {
  const runtime = ManagedRuntime.make(MiniAgents.layer())
  const server = createServer((request, response) => {
    const answer = Effect.flatMap(echo.trigger(request.url!.replace("/", "request ")), (replies) =>
      Stream.runForEach(replies.single(), (token) => Effect.sync(() => response.write(token)))
    )
    const fiber = runtime.runFork(
      Effect.ensuring(
        answer,
        Effect.sync(() => response.end())
      )
    )
    response.on("close", () => fiber.interruptUnsafe())
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  const { port } = server.address() as AddressInfo
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}/${path}`)).text()
  const answers = await Promise.all([get("1"), get("2")])
  server.close()
  await runtime.dispose() // waits for what the agents still do, as above
  return answers
})

export const program = Effect.gen(function* () {
  for (const line of [yield* withLayer, yield* withScope, ...(yield* withServer)]) yield* Console.log(line)
})

if (import.meta.main) NodeRuntime.runMain(program)
