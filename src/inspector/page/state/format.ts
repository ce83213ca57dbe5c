/** Numbers, times and amounts as a person reads them. */

export const time = (ms: number): string => {
  if (ms < 10) return `${Number(ms.toPrecision(2))} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const whole = new Intl.NumberFormat("en")

export const count = (n: number): string => {
  if (n < 10_000) return whole.format(n)
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 100_000 ? 1 : 0)}k`
  return `${(n / 1_000_000).toFixed(1)}M`
}

export const money = (cost: number): string => (cost >= 1 ? cost.toFixed(2) : cost.toPrecision(2))

/** `1 call`, `2 calls`. */
export const many = (n: number, word: string): string => `${count(n)} ${word}${n === 1 ? "" : "s"}`

/** Round times of an axis, about as many as are asked for. */
export const ticks = (from: number, to: number, about: number): ReadonlyArray<number> => {
  const rough = (to - from) / about
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? rough
  const first = Math.ceil(from / step)
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, i) => (first + i) * step)
}
