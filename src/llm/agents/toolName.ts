/** The names of tools as all providers take them: letters, digits, `_` and `-`, 64 of them at most. */

/** The nearest name that is one. */
export const fitName = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_-]+/g, "_").slice(0, 64) || "_"

export const isFit = (name: string): boolean => /^[a-zA-Z0-9_-]{1,64}$/.test(name)
