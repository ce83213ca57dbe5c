/** What a client of A2A makes of the updates of a task. */

export interface Artifact {
  readonly artifactId: string
  readonly parts: ReadonlyArray<{ readonly text?: string; readonly data?: unknown }>
}
interface Status {
  readonly state: string
  readonly message?: { readonly parts: ReadonlyArray<{ readonly text?: string; readonly data?: unknown }> }
}
export interface TaskJson {
  readonly id: string
  readonly contextId: string
  readonly status: Status
  readonly artifacts?: ReadonlyArray<Artifact>
}
export type Update =
  | { readonly task: TaskJson }
  | { readonly statusUpdate: { readonly status: Status } }
  | { readonly artifactUpdate: { readonly artifact: Artifact; readonly append: boolean } }

/** The parts of each artifact, by its id. */
const fold = (updates: ReadonlyArray<Update>): ReadonlyMap<string, Artifact["parts"]> => {
  let artifacts = new Map<string, Artifact["parts"]>()
  for (const update of updates) {
    if ("task" in update)
      artifacts = new Map((update.task.artifacts ?? []).map((each) => [each.artifactId, each.parts]))
    if (!("artifactUpdate" in update)) continue
    const { append, artifact } = update.artifactUpdate
    const had = append ? artifacts.get(artifact.artifactId) : []
    if (had === undefined) throw new Error(`${artifact.artifactId} is appended to before it is there`)
    artifacts.set(artifact.artifactId, [...had, ...artifact.parts])
  }
  return artifacts
}

/** What each artifact holds: its text, or its data. */
export const artifactsOf = (updates: ReadonlyArray<Update>): ReadonlyArray<unknown> =>
  [...fold(updates).values()].map((parts) => {
    const data = parts.find((part) => part.data !== undefined)
    return data === undefined ? parts.map(({ text = "" }) => text).join("") : data.data
  })

export const stateOf = (updates: ReadonlyArray<Update>): string | undefined => {
  const last = updates.findLast((update) => "task" in update || "statusUpdate" in update)
  if (last === undefined) return undefined
  return "task" in last ? last.task.status.state : "statusUpdate" in last ? last.statusUpdate.status.state : undefined
}
