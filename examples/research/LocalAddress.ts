/**
 * Addresses of this computer and of the network it stands in. What the web names must not lead there: a page could make
 * the run read what only this computer may read.
 */
import ipaddr from "ipaddr.js"

/** Whether a URL names such a place, by an address or by a name. What a name leads to is for `PublicFetch` to see. */
export const isLocal = (url: string): boolean => {
  if (!URL.canParse(url)) return false
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "")
  return ipaddr.isValid(host) ? isLocalAddress(host) : isLocalName(host)
}

/**
 * Whether this is an IP address that is not one of the public internet, also where another is packed in it. Of version 6
 * only `2000::/3` is given out.
 */
export const isLocalAddress = (text: string): boolean => {
  const address = ipaddr.parse(text)
  return address.range() !== "unicast" || (address instanceof ipaddr.IPv6 && address.parts[0]! >> 13 !== 1)
}

/** Names that the public internet does not have (RFC 6761, 6762 and 8375, and those that ICANN keeps back). */
export const isLocalName = (name: string): boolean =>
  /^(?:[^.]+|localhost|.*\.(?:localhost|local|internal|lan|home|corp|home\.arpa))$/i.test(name.replace(/\.$/, ""))
