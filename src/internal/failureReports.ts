/** The failures that nobody has read yet, and what is said of them when nobody can any more. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Log } from "./log.ts"
import { type Shown, shownOf, traceOf } from "./place.ts"

interface Report {
  readonly cause: Cause.Cause<unknown>
  /** Where the failure happened: the loggers of that place are told. */
  readonly context: Context.Context<never>
  /** How many logs ended with it: of a message, and of the replies that it stands in. */
  logs: number
}

/** A failure is reported when the log that ended with it is garbage, or when the runtime closes. */
export class FailureReports {
  private readonly unread = new Set<Report>()
  private readonly shown = new WeakMap<Shown, Report>()
  private readonly garbage = new FinalizationRegistry<Report>((report) => {
    report.logs--
    if (report.logs === 0 && this.unread.delete(report)) this.lost(report.cause, report.context)
  })

  watch(log: Log<unknown>, cause: Cause.Cause<unknown>, context: Context.Context<never>): void {
    if (Cause.hasInterruptsOnly(cause)) return
    const shown = shownOf(cause)
    const known = shown && this.shown.get(shown)
    if (known !== undefined && !this.unread.has(known)) return
    const report: Report = known ?? { cause, context, logs: 0 }
    if (shown !== undefined) this.shown.set(shown, report)
    report.logs++
    this.unread.add(report)
    this.garbage.register(log, report, report)
    log.onFailureRead = () => {
      log.onFailureRead = undefined
      this.unread.delete(report)
      this.garbage.unregister(report)
    }
  }

  /** Reports a failure that nobody can read. */
  lost(cause: Cause.Cause<unknown>, context: Context.Context<never>): void {
    if (!Cause.hasInterruptsOnly(cause)) Effect.runForkWith(context)(write(cause))
  }

  readonly flush: Effect.Effect<void> = Effect.suspend(() => {
    const reports = [...this.unread]
    this.unread.clear()
    for (const report of reports) this.garbage.unregister(report)
    return Effect.forEach(reports, ({ cause, context }) => Effect.provideContext(write(cause), context), {
      discard: true
    })
  })
}

const write = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const trace = traceOf(cause)
  const agents = trace.length === 0 ? "" : ` of ${trace.join(" <- ")}`
  return Effect.logError(`Nobody read this failure${agents}`, cause)
}
