import type { Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const modules = "the modules of packages that it imports"
const library = "miniagents"

export const S9: Scenario = {
  id: "S9",
  title: "import of `miniagents` as published; packages installed; size",
  unit: "import",
  size: 1,
  gate: 1,
  patience: 120,
  contestants: [
    { name: modules, kind: "floor", load: async () => (await import("../floors/Imports.ts")).modules },
    { name: library, kind: "miniagents", load: async () => (await import("../floors/Imports.ts")).library }
  ],
  targets: [
    Targets.atMost(1.2, library, modules),
    Targets.limit(library, "installs", "packages", 3, ({ facts }) => facts["packages"]!.median)
  ]
}
