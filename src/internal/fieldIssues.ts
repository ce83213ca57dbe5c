/** What a schema says about a value that does not fit it. */
import * as Predicate from "effect/Predicate"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Json from "./json.ts"

/** A place in the value, what was found there, and what was expected. */
export interface FieldIssue {
  readonly path: string
  readonly value: unknown
  readonly reason: string
}

export const fieldIssues = (issue: SchemaIssue.Issue, given: unknown): ReadonlyArray<FieldIssue> =>
  format(issue).issues.map(({ message, path: place = [] }) => {
    const keys = place.map((key) => (typeof key === "object" ? key.key : key))
    let value = given
    for (const key of keys) value = Predicate.hasProperty(value, key) ? value[key] : undefined
    const path = keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("")
    return { path: path.replace(/^\./, ""), value, reason: message }
  })

export const describe = ({ path, reason, value }: FieldIssue): string =>
  `\`${path}\` got \`${Json.preview(value)}\`: ${reason}`

const format = SchemaIssue.makeFormatterStandardSchemaV1()
