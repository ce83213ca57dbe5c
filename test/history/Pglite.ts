/** Postgres without a server: PGlite runs it in this process, and answers its protocol on a stream in memory. */

import { Duplex } from "node:stream"
import { PGlite } from "@electric-sql/pglite"

const TERMINATE = "X".charCodeAt(0)

/** A message begins with its kind, but for the first one, and its length, which counts itself. */
const lengthOf = (bytes: Buffer, isFirst: boolean): number => {
  const at = isFirst ? 0 : 1
  return bytes.length < at + 4 ? Number.POSITIVE_INFINITY : at + bytes.readUInt32BE(at)
}

/** The one connection that it can have. */
const connectionTo = (database: PGlite): Duplex => {
  let [waiting, isFirst] = [Buffer.alloc(0), true]
  const answer = async (bytes: Buffer) => {
    waiting = Buffer.concat([waiting, bytes])
    for (let length = lengthOf(waiting, isFirst); length <= waiting.length; length = lengthOf(waiting, isFirst)) {
      const message = new Uint8Array(waiting.subarray(0, length))
      waiting = waiting.subarray(length)
      if (!isFirst && message[0] === TERMINATE) connection.push(null)
      else connection.push(await database.execProtocolRaw(message))
      isFirst = false
    }
  }
  const connection: Duplex = new Duplex({
    read: () => {},
    write: (bytes, _encoding, done) => void answer(bytes).then(() => done(), done)
  })
  return connection
}

export const start = async () => {
  const database = await PGlite.create()
  return {
    config: { stream: () => connectionTo(database), username: "postgres", database: "postgres", maxConnections: 1 },
    connections: 1,
    stop: () => database.close()
  }
}
