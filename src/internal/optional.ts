/**
 * Packages that need not be installed, as in `import("openai").catch(missing)`: without the `catch` a bundler refuses
 * the whole program when one of them is not there, with it the `import` fails when it is run.
 */
export const missing = (cause: unknown): Promise<never> => Promise.reject(cause)
