/** Compares what was given with a secret, in a time that does not depend on where the two differ. */
import { sha256 } from "@noble/hashes/sha2.js"
import { utf8ToBytes } from "@noble/hashes/utils.js"

export const sameSecret = (given: string, secret: string): boolean => {
  const [left, right] = [sha256(utf8ToBytes(given)), sha256(utf8ToBytes(secret))]
  let difference = 0
  for (let i = 0; i < left.length; i++) difference |= left[i] ^ right[i]
  return difference === 0
}
