/** Spans as they are made, for a test to look at. */
import { Tracer } from "effect"

/** A tracer, and the spans that it has made. */
export const make = (): { readonly tracer: Tracer.Tracer; readonly spans: ReadonlyArray<Tracer.NativeSpan> } => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { tracer, spans }
}
