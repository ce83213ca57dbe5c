/** What rows and files of turns are called. */
import * as json from "../internal/json.ts"

/**
 * A name that any database and any file system takes. It begins as the conversation's own, and no two conversations share
 * one: who has the turn of the one could never have the other's inside of it.
 */
export const turnName = (conversation: string): string => {
  const start = encodeURIComponent(conversation.toWellFormed()).replaceAll(/[.*]/g, "_").slice(0, 80)
  return `${start}-${json.sha(JSON.stringify(conversation)).slice(0, 32)}`
}
