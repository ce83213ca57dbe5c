/** What a peer may not do while it is measured: reach the network (it fails then) or spend its time on the terminal. */
import * as net from "node:net"

let attempts = 0

net.Socket.prototype.connect = () => {
  attempts++
  throw new Error("the bench has no network")
}
console.warn = () => {}

/** Throws when anything tried to connect, even if the peer swallowed the error. */
export const check = (): void => {
  if (attempts > 0) throw new Error(`tried to reach the network ${attempts} times`)
}
