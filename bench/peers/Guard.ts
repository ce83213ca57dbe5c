/** What a peer may not do while it is measured: leave this machine (it fails then) or spend its time on the terminal. */
import * as net from "node:net"

let attempts = 0

const connect = net.Socket.prototype.connect

net.Socket.prototype.connect = function (this: net.Socket, ...options: ReadonlyArray<unknown>) {
  if (/"(host|hostname)":"127\.0\.0\.1"/.test(JSON.stringify(options))) return Reflect.apply(connect, this, options)
  attempts++
  throw new Error("the bench has no network")
}
console.warn = () => {}

/** Throws when anything tried to connect, even if the peer swallowed the error. */
export const check = (): void => {
  if (attempts > 0) throw new Error(`tried to reach the network ${attempts} times`)
}
