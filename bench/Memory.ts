/** Memory of this process in megabytes. */

/** What is alive after a full garbage collection (`node --expose-gc`). */
export const live = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}

/** The most that the process ever held, as the operating system counts it. */
export const peak = (): number => process.resourceUsage().maxRSS / 1024
