/** Addresses can hold a password, which may hold an `@` itself, or a token. */

/** The user and the password of an address, as they are written. */
export const credentialsOf = (address: string): string => credentialsIn(address).exec(address)?.[2] ?? ""

/** An address that everybody may see: without the user, the password, the query and the fragment. */
export const withoutSecrets = (address: string): string =>
  address.replace(credentialsIn(address), "$1").replace(/[?#].*$/s, "")

/** In what is no address, a password may have broken it off: all before the last `@` may belong to it. */
const credentialsIn = (address: string): RegExp => (URL.canParse(address) ? /(^|\/\/)([^/?#]*)@/ : /(^|\/\/)(.*)@/s)
