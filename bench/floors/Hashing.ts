/** S11: canonical JSON and sha256 by hand, and `Equal` on plain objects. */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import * as Equal from "effect/Equal"
import type { Case } from "../Case.ts"

/** The content of the messages that are hashed and compared. */
export const content = (i: number) => ({
  text: `message ${i}`,
  metadata: { turn: i, author: { name: "Bench", id: i % 10 } }
})

/** JSON with the keys of every object sorted. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const object = value as Readonly<Record<string, unknown>>
  return `{${Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(object[key])}`)
    .join(",")}}`
}

/** Times the hashing of values made beforehand; throws when two have the same hash. */
export const hashing =
  <A>(make: (i: number) => A, hash: (value: A) => string): Case =>
  async (size) => {
    const values = Array.from({ length: size }, (_, i) => make(i))
    const start = performance.now()
    const keys = values.map(hash)
    const ms = performance.now() - start
    if (new Set(keys).size !== size || keys.some((key) => !/^[0-9a-f]{64}$/.test(key))) throw new Error("bad hashes")
    return { ms }
  }

/** Times the comparison of values with their equals, and with others; throws when one answer is wrong. */
export const comparing =
  <A>(make: (i: number) => A): Case =>
  async (size) => {
    const [values, equals] = [0, 1].map(() => Array.from({ length: size }, (_, i) => make(i)))
    let [same, different] = [0, 0]
    const start = performance.now()
    for (let i = 0; i < size; i++) {
      if (Equal.equals(values![i], equals![i])) same++
      if (!Equal.equals(values![i], equals![(i + 1) % size])) different++
    }
    const ms = performance.now() - start
    if (same !== size || different !== size) throw new Error(`${same} equal and ${different} different of ${size}`)
    return { ms }
  }

const plain = (i: number) => ({ _tag: "User", content: content(i).text, metadata: content(i).metadata })

export const hashByHand = hashing(plain, (value) => bytesToHex(sha256(utf8ToBytes(canonical(value)))))
export const equalPlain = comparing(plain)
