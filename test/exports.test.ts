/** The exported names, pinned: a red pin is a deliberate change. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as MiniAgentsPackage from "miniagents"
import { parseSync, Visitor } from "oxc-parser"

/** The values and types that a module declares to its users. */
const pins: Readonly<Record<string, { readonly values: string; readonly types: string }>> = {
  Agent: {
    values: "DuplicateName InvalidParameters Service TypeId isAgent make",
    types:
      "Agent CallOptions ForkOptions Implementation Options RealServices RepliedErrors RepliesError ServiceClass ServiceOptions"
  },
  AgentCall: { values: "", types: "AgentCall" },
  InteractionContext: {
    values: "InteractionContext",
    types: "AgentInfo Body InteractionContext Replies Upstream"
  },
  Message: {
    values:
      "Any Assistant CallRecord Class Data Embedding Failure InvalidMessage Joined Page ReplyRecord System Text TypeId Usage " +
      "User " +
      "assistant codec data fromCause fromText isMessage nested serialize system text user",
    types: "AnyClass Builtin Class Known KnownFields Message Metadata Usage"
  },
  MessageInput: { values: "", types: "ErrorOf MessageInput" },
  MessagePromise: {
    values: "TypeId fromAsyncIterable fromStream isMessagePromise of",
    types: "MessagePromise Options"
  },
  MessageSequence: {
    values: "TypeId from isMessageSequence",
    types: "MessageSequence SingleOptions"
  },
  MiniAgents: {
    values: "MiniAgents PersistError layer make persist running",
    types: "Options Runtime"
  },
  Replay: { values: "make", types: "" },
  Transcript: { values: "Event Failure Origin Position after", types: "Event Failure Position" }
}

const namespaces = new Map<string, object>(Object.entries(MiniAgentsPackage))
const root = fileURLToPath(new URL("..", import.meta.url))
let folder = ""
const declarationsOf = (name: string) => readFileSync(join(folder, `${name}.d.ts`), "utf8")
const words = (text: string) => (text === "" ? [] : text.split(" "))
const program = (source: string) => parseSync("module.d.ts", source, { lang: "dts" }).program

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "miniagents-declarations-"))
  const compiler = join(root, "node_modules", ".bin", "tsc")
  const options = [
    "-p",
    "tsconfig.build.json",
    "--emitDeclarationOnly",
    "--declarationMap",
    "false",
    "--outDir",
    folder
  ]
  spawnSync(compiler, options, { cwd: root }) // a type error elsewhere is for the type check to say
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("exports", () => {
  it("the index has one namespace for each module", () => {
    const names = Object.keys(pins)
    assert.deepStrictEqual([...namespaces.keys()].toSorted(), names)
    assert.deepStrictEqual(
      declarationsOf("index")
        .replaceAll(/\.[jt]s"/g, '"')
        .trim()
        .split("\n"),
      names.map((name) => `export * as ${name} from "./${name}";`)
    )
  })

  it.each(Object.keys(pins))("`%s` declares what is pinned, and nothing that is internal", (name) => {
    const { types, values } = pins[name]!
    const found = { values: new Set<string>(), types: new Set<string>() }
    for (const statement of program(declarationsOf(name)).body) {
      if (statement.type !== "ExportNamedDeclaration" || statement.declaration === null) continue
      const { declaration } = statement
      if (declaration.type === "VariableDeclaration") {
        for (const { id } of declaration.declarations) if (id.type === "Identifier") found.values.add(id.name)
      } else if (declaration.type === "ClassDeclaration" || declaration.type === "TSDeclareFunction") {
        found.values.add(declaration.id!.name)
      } else if (declaration.type === "TSInterfaceDeclaration" || declaration.type === "TSTypeAliasDeclaration") {
        found.types.add(declaration.id.name)
      }
    }
    assert.deepStrictEqual([...found.values].toSorted(), words(values))
    assert.deepStrictEqual([...found.types].toSorted(), words(types))
    assert.includeMembers(Object.keys(namespaces.get(name)!), words(values))
  })

  it("no declaration says `any`", () => {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((path) => path.replaceAll("\\", "/"))
      .filter((path) => path.endsWith(".d.ts") && !path.startsWith("internal/"))
    assert.include(files, "Agent.d.ts")
    const found: Array<string> = []
    for (const file of files) {
      const source = readFileSync(join(folder, file), "utf8")
      new Visitor({
        TSAnyKeyword: ({ start }) => void found.push(`${file}: ${source.slice(Math.max(0, start - 60), start + 20)}`)
      }).visit(program(source))
    }
    assert.deepStrictEqual(found, [])
  })
})
