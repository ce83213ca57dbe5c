/**
 * Writes the reference of everything that a program can import to docs/api, as pages with a search. TypeDoc does not read
 * TypeScript 7, so it reads the declarations that this compiles to, with a TypeScript 6 of its own (scripts/api).
 *
 * Run: npm run api
 */

import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const here = join(root, "scripts/api")

const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, string | { readonly types?: string } | null>>
}
const entries = Object.values(exports).flatMap((target) =>
  typeof target === "object" && target?.types !== undefined ? ["--entryPoints", join(root, target.types)] : []
)

const { status } = spawnSync(
  process.execPath,
  [
    join(here, "node_modules/typedoc/bin/typedoc"),
    ...["--tsconfig", join(here, "tsconfig.json"), "--out", join(root, "docs/api"), ...entries],
    ...["--name", "miniagents", "--readme", "none", "--basePath", join(root, "dist")],
    ...["--excludeExternals", "--excludeInternal", "--disableSources", "--skipErrorChecking"],
    ...["--validation.notExported", "false", "--treatWarningsAsErrors"]
  ],
  { cwd: root, stdio: "inherit" }
)
process.exitCode = status ?? 1
