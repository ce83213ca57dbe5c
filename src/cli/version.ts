/** What `miniagents --version` says; a test compares it with package.json, which is not part of `src`. */
export const version = "0.1.0"
