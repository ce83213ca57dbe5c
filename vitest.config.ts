import { defineConfig } from "vitest/config"

const conditions = ["miniagents-source", "module", "node", "development|production"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["test/**/*.test.ts"],
    pool: "threads",
    isolate: false,
    testTimeout: 10_000,
    hookTimeout: 20_000
  }
})
