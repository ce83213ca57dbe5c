import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const conditions = ["miniagents-source", "module", "node", "development|production"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["test/**/*.test.ts"],
    pool: "threads",
    isolate: false,
    // what tests start keeps the JavaScript of the sources for the next one
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL("./node_modules/.cache/compiled", import.meta.url)) },
    maxWorkers: "100%", // by default one core is left idle, which is half of a small machine
    testTimeout: 10_000,
    hookTimeout: 20_000
  }
})
