/** The modules of `src` stand in ranks, and each imports its own rank or a lower one. */

import { readdirSync, readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { posix } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Imports from "../scripts/Imports.ts"

/** A name that ends in `/` is a folder, any other one a module. */
const ranks: Readonly<Record<string, number>> = {
  "internal/": 0,
  // the engines behind the contracts of the core stand beside those
  "internal/decoder": 1,
  "internal/encoding": 1,
  "internal/messageClass": 1,
  "internal/unknownFields": 1,
  "internal/observers": 2,
  "internal/persister": 2,
  "internal/runtime": 2,
  "internal/promise": 3,
  "internal/rings": 3,
  "internal/sequenceReads": 3,
  "internal/sequence": 3,
  "internal/input": 3,
  "internal/call": 4,
  "internal/openCall": 4,
  "internal/agent": 5,
  Replay: 1,
  Message: 1,
  Observer: 2,
  Persistence: 2,
  MiniAgents: 2,
  MessageInput: 3,
  MessagePromise: 3,
  MessageSequence: 3,
  InteractionContext: 4,
  AgentCall: 4,
  Agent: 5,
  Transcript: 6,
  transcriptDecoder: 6,
  transcriptEncoder: 6,
  "agents/": 6,
  "console/": 6,
  "history/": 6,
  "llm/": 6,
  "openai/": 6,
  "anthropic/": 6,
  "providers/": 6,
  "store/": 6,
  "models/": 7,
  "runs/": 7,
  "durable/": 7,
  "serve/": 7,
  "cluster/": 7,
  "inspector/": 7,
  // what serves the page and writes the files is for Node
  "inspector/Inspector": 8,
  "inspector/server/nodeServer": 8,
  "inspector/record/recordFile": 8,
  "inspector/watch/idleClock": 8,
  "inspector/register": 8,
  "inspector/index": 8,
  "testing/": 7,
  "sqlite/": 8,
  "cli/": 8,
  cli: 8,
  index: 9
}

/** The rooms of a folder that has some, lowest first: each imports itself and those below. */
const rooms = ["llm/provider/", "llm/model/", "llm/agents/"]

const roomOf = (path: string): number => rooms.findIndex((room) => path.startsWith(room))

const rankOf = (path: string): number | undefined => {
  const slash = path.indexOf("/")
  return ranks[path.replace(/\.ts$/, "")] ?? ranks[slash < 0 ? path.replace(/\.ts$/, "") : path.slice(0, slash + 1)]
}

const isPlatform = (name: string) =>
  isBuiltin(name) || /^(@effect\/(platform|sql)-|bun$|bun:|deno|cloudflare:)/.test(name)

const complaintAbout = (path: string, name: string): string | undefined => {
  if (name === "effect") return `${path} imports the barrel \`effect\`: import by subpath, as in \`effect/Effect\``
  if (/^miniagents(\/|$)/.test(name)) return `${path} imports \`${name}\`: import the module by its relative path`
  if (isPlatform(name) && rankOf(path) !== ranks["cli/"]) {
    return `${path} imports \`${name}\`: only cli and drivers name a platform; ask for a service instead`
  }
  if (!name.startsWith(".")) return undefined
  const target = posix.join(posix.dirname(path), name)
  const [room, otherRoom] = [roomOf(path), roomOf(target)]
  if (room >= 0 && otherRoom > room) return `${path} imports ${target}, which is a room above (room ${otherRoom})`
  const [own, other] = [rankOf(path), rankOf(target)]
  if (other === undefined) return `${path} imports \`${name}\`, which has no rank`
  return own !== undefined && other > own ? `${path} (rank ${own}) imports ${target} (rank ${other})` : undefined
}

/** What is wrong with these modules; paths are relative to `src`. */
const complaints = (files: Readonly<Record<string, string>>): ReadonlyArray<string> =>
  Object.entries(files).flatMap(([path, source]) => [
    ...(rankOf(path) === undefined ? [`${path} has no rank: add it to the table of this test`] : []),
    ...Imports.fromSource(path, source).flatMap((name) => complaintAbout(path, name) ?? [])
  ])

describe("ranks", () => {
  it("every module of src imports only its own rank or a lower one", () => {
    const src = new URL("../src/", import.meta.url)
    const paths = readdirSync(src, { recursive: true, encoding: "utf8" })
      .map((path) => path.replaceAll("\\", "/"))
      .filter((path) => path.endsWith(".ts"))
    assert.include(paths, "index.ts")
    assert.deepStrictEqual(
      complaints(Object.fromEntries(paths.map((path) => [path, readFileSync(new URL(path, src), "utf8")]))),
      []
    )
  })

  it.each([
    [
      "its own rank and lower ones",
      "Agent.ts",
      `import * as M from "./Message.ts"; import { h } from "./internal/h.ts"`
    ],
    ["a sibling in its folder", "llm/agents/LlmAgent.ts", `import type * as L from "../model/Budget.ts"`],
    ["effect by subpath", "Agent.ts", `import * as Effect from "effect/Effect"`],
    ["a platform in cli", "cli/main.ts", `import { NodeRuntime } from "@effect/platform-node"`],
    ["everything in the index", "index.ts", `export * as Agent from "./Agent.ts"`]
  ])("allows %s", (_, path, source) => {
    assert.deepStrictEqual(complaints({ [path]: source }), [])
  })

  it.each([
    ["an import upwards", "Message.ts", `import * as A from "./Agent.ts"`, "rank 1"],
    ["a type import upwards", "Message.ts", `import type * as A from "./Agent.ts"`, "rank 1"],
    ["an inline type import upwards", "Message.ts", `export type A = import("./Agent.ts").Agent`, "rank 1"],
    ["an export from above", "Replay.ts", `export { make } from "./MiniAgents.ts"`, "rank 2"],
    ["a dynamic import upwards", "Agent.ts", `export const load = () => import("./openai/OpenAi.ts")`, "rank 6"],
    ["an import upwards out of a folder", "internal/h.ts", `import * as M from "../Message.ts"`, "rank 0"],
    ["an import of the index", "cli/main.ts", `import { Agent } from "../index.ts"`, "rank 9"],
    ["an import by the package's own name", "agents/Loop.ts", `import { Agent } from "miniagents"`, "relative path"],
    ["the barrel of effect", "Agent.ts", `import { Effect } from "effect"`, "by subpath"],
    [
      "a platform package below cli",
      "serve/Http.ts",
      `import * as N from "@effect/platform-node/NodeHttp"`,
      "only cli"
    ],
    ["a built-in module of Node below cli", "Message.ts", `import { createHash } from "node:crypto"`, "only cli"],
    ["a module without a rank", "Utils.ts", "export {}", "no rank"],
    ["a room that imports one above", "llm/model/M.ts", `import type * as A from "../agents/A.ts"`, "room 2"],
    ["a folder without a rank", "helpers/a.ts", "export {}", "no rank"],
    ["an import of a module without a rank", "Agent.ts", `import "./Utils.ts"`, "no rank"]
  ])("complains about %s", (_, path, source, complaint) => {
    const found = complaints({ [path]: source })
    assert.strictEqual(found.length, 1)
    assert.include(found[0], complaint)
  })
})
