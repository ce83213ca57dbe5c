/** Why something failed, in words. */
import * as Cause from "effect/Cause"
import * as Json from "./json.ts"

/** What an error says; the fields of one that says nothing. */
export const reasonOf = (error: unknown): string => {
  const said = error instanceof Error ? error.message : typeof error === "string" ? error : Json.preview(error)
  if (said !== "" || typeof error !== "object" || error === null) return said === "" ? "no reason was given" : said
  const fields = Object.entries(error).filter(([key]) => !["_tag", "name", "cause", "stack"].includes(key))
  if (fields.length > 0) return fields.map(([key, value]) => `${key}: ${Json.preview(value)}`).join(", ")
  return "cause" in error && error.cause !== undefined ? reasonOf(error.cause) : "no reason was given"
}

const defects = new WeakMap<object, Cause.Cause<unknown>>()

/** What is made of a cause, which is kept beside it if it is a defect: that must not leave the process. */
export const keepDefect = <A extends object>(made: A, cause: Cause.Cause<unknown>): A => {
  if (!Cause.hasFails(cause)) defects.set(made, cause)
  return made
}

/** The defect that something was made of, if it was. */
export const defectOf = (made: object): Cause.Cause<unknown> | undefined => defects.get(made)
