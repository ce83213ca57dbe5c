/**
 * Addresses of this computer and of the network it stands in. What the web names must not lead there: a page could make
 * the run read what only this computer may read.
 */

/** Whether an address names such a place; a name that a server of names gives such an address is not seen through. */
export const isLocal = (url: string): boolean => {
  if (!URL.canParse(url)) return false
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")
  return /^(?:localhost|.*\.(?:localhost|local|internal|lan)|[^.:]+)$/.test(host) || v4.test(host) || v6.test(host)
}

// `URL` writes every notation of an address of version 4 as four decimal numbers.
const v4 = /^(?:0|10|127|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.168|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.[\d.]+$/
const v6 = /^(?:::1?$|::ffff:|f[cd][\da-f]{2}:|fe[89ab][\da-f]:)/
