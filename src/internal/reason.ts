/** Why something failed, in words. */
import * as Json from "./json.ts"

/** What an error says; the fields of one that says nothing. */
export const reasonOf = (error: unknown): string => {
  const said = error instanceof Error ? error.message : typeof error === "string" ? error : Json.preview(error)
  if (said !== "" || typeof error !== "object" || error === null) return said === "" ? "no reason was given" : said
  const fields = Object.entries(error).filter(([key]) => !["_tag", "name", "cause", "stack"].includes(key))
  if (fields.length > 0) return fields.map(([key, value]) => `${key}: ${Json.preview(value)}`).join(", ")
  return "cause" in error && error.cause !== undefined ? reasonOf(error.cause) : "no reason was given"
}
