/** The names of tools as all providers take them: letters, digits, `_` and `-`, 64 of them at most. */

export const isFit = (name: string): boolean => /^[a-zA-Z0-9_-]{1,64}$/.test(name)

/** The nearest name that is one. */
export const fit = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_-]+/g, "_").slice(0, 64) || "_"

/** Why a name is none. */
export const refusal = (name: string): string =>
  `\`${name}\` is no name of a tool: take 1 to 64 letters, digits, \`_\` and \`-\`, as in \`${fit(name)}\``
