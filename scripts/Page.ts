/** Puts the page of the inspector together: one script and one style sheet, without anything that is loaded from elsewhere. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))

/** Where the page stands when the package is built, and where the server looks for it. */
export const folder: string = join(root, "dist/inspector/page")

/** Writes the page into a folder. */
export const write = async (into: string = folder): Promise<void> => {
  await build({
    entryPoints: ["main.tsx", "page.css"].map((name) => ({ in: join(root, "src/inspector/page", name), out: "page" })),
    tsconfig: join(root, "src/inspector/page/tsconfig.json"),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2024",
    outdir: into,
    legalComments: "none",
    logLevel: "warning"
  })
}

if (import.meta.main) await write(process.argv[2])
