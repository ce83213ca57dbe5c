/** What a person reads about runs. */
import * as DateTime from "effect/DateTime"
import type * as DurableRuns from "../durable/DurableRuns.ts"
import type * as Runs from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"

/** The runs of a store, each on a line. */
export const list = (runs: ReadonlyArray<Runs.Info>, now: number): string => {
  if (runs.length === 0) return "There are no runs"
  return table(
    ["RUN", "AGENT", "STATUS", "STARTED", "TOOK", "WAITS FOR"],
    runs.map((run) => [
      ...[run.id, run.agent, statusOf(run), timeOf(run.startedAt), tookOf(run, now)],
      run.waits.map(({ name, path }) => (path === "" ? name : `${name} (${path})`)).join(", ")
    ])
  )
}

/** One run: how it stands, what it waits for, what it has cost, and its calls. */
export const show = (
  run: Runs.Info,
  { asked, reused, saved, spent, unused }: DurableRuns.Report,
  calls: ReadonlyArray<DurableRuns.Call>,
  now: number
): string => {
  const head = [
    ["run", run.id],
    ["agent", run.agent],
    ["status", statusOf(run)],
    ["started", timeOf(run.startedAt)],
    ["took", tookOf(run, now)],
    ["asked", `${asked} (${tokensOf(spent)})`],
    ...(reused === 0 ? [] : [["reused", `${reused} (${tokensOf(saved)})`]])
  ]
  const waits = run.waits.map(({ asks, name, path }) => [
    name,
    path === "" ? "-" : path,
    asks === undefined ? "" : JSON.stringify(asks)
  ])
  const rows = calls.map(({ asked, path, reused, said, tokens }) => [
    ...[path, String(asked), String(reused), String(tokens.input), String(tokens.output), lineOf(said ?? "")]
  ])
  return [
    table([], head),
    ...(waits.length === 0 ? [] : [table(["WAITS FOR", "CALL", "ASKS"], waits)]),
    ...(rows.length === 0 ? [] : [table(["CALL", "ASKED", "REUSED", "IN", "OUT", "SAID"], rows)]),
    ...(unused.length === 0
      ? []
      : [
          table(
            ["KEPT, AND ASKED BY NOBODY", "WHAT"],
            unused.map(({ path, what }) => [path, what])
          )
        ])
  ].join("\n\n")
}

/** What a rerun has asked and saved. */
export const report = (id: string, { asked, reused, saved, spent, unused }: DurableRuns.Report): string =>
  table(
    [],
    [
      ["run", id],
      ["asked", `${asked} (${tokensOf(spent)})`],
      ["reused", `${reused} (${tokensOf(saved)})`],
      ...(unused.length === 0 ? [] : [["not asked again", unused.map(({ path }) => path).join(", ")]])
    ]
  )

/** How two runs differ, by their calls. */
export const diff = ({ added, changed, removed, same }: DurableRuns.Diff): string => {
  const blocks = changed.map(({ left, path, right }) =>
    [`~ ${path}`, `    - ${lineOf(left ?? "(nothing)", 200)}`, `    + ${lineOf(right ?? "(nothing)", 200)}`].join("\n")
  )
  const lines = [...removed.map((path) => `- ${path}`), ...added.map((path) => `+ ${path}`), ...blocks]
  return [...lines, `${same.length} ${same.length === 1 ? "call is" : "calls are"} the same`].join("\n")
}

/** A message of a run that is followed, as soon as it is whole; and its end. */
export class Follower {
  private path = ""
  private text = ""

  take(event: Transcript.Event): string | undefined {
    switch (event._tag) {
      case "open":
        this.path = event.origin?.path ?? ""
        this.text = ""
        return undefined
      case "text":
        this.text += event.text
        return undefined
      case "reset":
        this.text = this.text.slice(0, event.to)
        return undefined
      case "message":
        return `${this.path}: ${this.text === "" ? JSON.stringify(event.message) : this.text}`
      case "failed":
        return `failed: ${event.failure.reason}`
      case "interrupted":
        return "interrupted"
      default:
        return undefined
    }
  }
}

const statusOf = ({ status, waits }: Runs.Info): string =>
  status === "running" && waits.length > 0 ? "waiting" : status

const tokensOf = ({ input, output }: { readonly input: number; readonly output: number }): string =>
  `${input} tokens in, ${output} out`

const timeOf = (millis: number): string =>
  DateTime.formatIso(DateTime.makeUnsafe(millis)).replace("T", " ").slice(0, 19) + "Z"

const tookOf = ({ endedAt, startedAt }: Runs.Info, now: number): string => {
  const seconds = Math.max(0, Math.round(((endedAt ?? now) - startedAt) / 1000))
  const units = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60
  ]
  const first = units.findIndex((unit) => unit > 0)
  if (first < 0) return "0s"
  return units
    .map((unit, i) => `${unit}${"dhms"[i]}`)
    .slice(first, first + 2)
    .join(" ")
}

/** The beginning of a text, on one line. */
const lineOf = (text: string, most = 60): string => {
  const line = text.replaceAll(/\s+/g, " ").trim()
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`
}

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const all = head.length === 0 ? rows : [head, ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
