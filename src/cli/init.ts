/** `miniagents init`: a project with two agents, a test and a server, which runs at once and without a key. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { misuse, Refusal } from "./refusal.ts"
import { version } from "./version.ts"

export const run = (folder: string): Effect.Effect<void, Refusal | PlatformError, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* fs.makeDirectory(folder, { recursive: true })
    const found = yield* fs.readDirectory(folder)
    if (found.length > 0) {
      const message = `\`${folder}\` is not empty (it has \`${found[0]}\`): name a folder that is new`
      return yield* new Refusal({ message, status: misuse })
    }
    for (const [name, content] of Object.entries(filesOf(path.basename(path.resolve(folder))))) {
      yield* fs.makeDirectory(path.dirname(path.join(folder, name)), { recursive: true })
      yield* fs.writeFileString(path.join(folder, name), content)
    }
    const lines = [`cd ${folder}`, "npm install", "npm test", "npm start"]
    yield* Console.log(
      `Made a project in \`${folder}\`. Go on with:\n\n${lines.map((line) => `    ${line}`).join("\n")}`
    )
  })

/** What the project stands on; a test compares them with what this library itself is developed with. */
export const versions = {
  "@effect/platform-node": "4.1.0",
  "@effect/vitest": "4.0.5",
  "@types/node": "24.19.2",
  effect: "4.1.0",
  typescript: "7.0.2",
  vitest: "5.1.1"
} as const

const pick = (...names: ReadonlyArray<keyof typeof versions>) =>
  Object.fromEntries(names.map((name) => [name, `^${versions[name]}`]))

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

const filesOf = (folder: string): Readonly<Record<string, string>> => ({
  "package.json": json({
    name: folder.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-"),
    private: true,
    type: "module",
    scripts: { start: "node src/server.ts", test: "vitest run", types: "tsc" },
    dependencies: { miniagents: `^${version}`, ...pick("effect", "@effect/platform-node") },
    devDependencies: pick("@effect/vitest", "@types/node", "typescript", "vitest"),
    engines: { node: ">=22.19" }
  }),
  "tsconfig.json": json({
    compilerOptions: {
      target: "esnext",
      module: "nodenext",
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true
    },
    include: ["src", "test"]
  }),
  "src/agents.ts": agents,
  "src/server.ts": server,
  "test/agents.test.ts": test,
  "README.md": readme,
  "AGENTS.md": forCodingAgents,
  ".gitignore": "node_modules/\n"
})

const agents = `import { Effect, Schema } from "effect"
import { Agent } from "miniagents"

/** This error is in the type of every agent that can fail with it, also through the replies of other agents. */
export class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", { question: Schema.String }) {}

const known: ReadonlyArray<readonly [word: string, answer: string]> = [
  ["hours", "We are here from 9 to 17 o'clock."],
  ["returns", "Send it back within 30 days."]
]

/** Finds the answer to a question. To let a model answer, use \`LlmAgent.make\` of \`miniagents/llm\`. */
export const lookUp = Agent.make("LookUp", Effect.fnUntraced(function*(ctx) {
  const question = yield* ctx.messages.text
  const answers = known.flatMap(([word, answer]) => (question.toLowerCase().includes(word) ? [answer] : []))
  if (answers.length === 0) return yield* new NoAnswer({ question })
  yield* ctx.reply(answers)
}))

/** Replies at once, and passes on the replies of another agent while that is still working. */
export const desk = Agent.make("Desk", { description: "Answers questions of customers" }, Effect.fnUntraced(function*(ctx) {
  yield* ctx.reply("Thank you for asking.")
  yield* ctx.reply(yield* lookUp.trigger(ctx.messages))
}))
`

const server = `import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Layer } from "effect"
import { HttpRouter } from "effect/http"
import { MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { Guard, Native } from "miniagents/serve"
import { desk, NoAnswer } from "./agents.ts"

const port = Number(process.env["PORT"] ?? 3000)

HttpRouter.serve(Native.layer("/desk", desk, { error: NoAnswer })).pipe(
  Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()]),
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port })),
  Layer.launch,
  NodeRuntime.runMain
)
`

const test = `import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { MiniAgents } from "miniagents"
import { Interleaving } from "miniagents/testing"
import { desk } from "../src/agents.ts"

it.effect("answers in order, whatever runs first", () =>
  Interleaving.forAllSeeds({ seeds: 50 })(() =>
    Effect.gen(function*() {
      const replies = yield* desk.trigger("What are your hours?")
      assert.strictEqual(yield* replies.text, "Thank you for asking.\\n\\nWe are here from 9 to 17 o'clock.")
    }).pipe(Effect.provide(MiniAgents.layer()))))

it.effect("says what it does not know", () =>
  Effect.gen(function*() {
    const replies = yield* desk.trigger("Where is my parcel?")
    const error = yield* Effect.flip(replies.text)
    assert.strictEqual(error.question, "Where is my parcel?")
  }).pipe(Effect.provide(MiniAgents.layer())))
`

const readme = `# A support desk

    npm test         # the agents, under many orders of parallel execution; no key is needed
    npm run types    # the types
    npm start        # the desk on http://127.0.0.1:3000

Ask it, and see the reply come in as server-sent events:

    curl -N http://127.0.0.1:3000/desk -H "content-type: application/json" -d '{"messages":"What are your hours?"}'

Or talk with the agents on a page in the browser, and watch a program while it runs:

    npx miniagents serve src/agents.ts
    npx miniagents inspect src/server.ts

The agents are in \`src/agents.ts\`. The documentation is in \`node_modules/miniagents/docs\`: begin with
\`getting-started.md\`, which goes on with this desk.
`

const forCodingAgents = `Read \`node_modules/miniagents/AGENTS.md\` before you write or change agents.
`
