/** Folders for what a scenario makes: inside this repository, so that packages resolve, and unknown to git. */
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"

/** An empty folder of that name. */
export const folder = (name: string): string => {
  const path = fileURLToPath(new URL(`.tmp/${name}/`, import.meta.url))
  fs.rmSync(path, { recursive: true, force: true })
  fs.mkdirSync(path, { recursive: true })
  return path
}

export const root = fileURLToPath(new URL("..", import.meta.url))
