/**
 * The `fetch` for pages that strangers name: a name of the public internet cannot lead into this network, whatever its
 * server of names says. The address that is connected to is the one that was looked at, so that a second answer of that
 * server changes nothing.
 */
import { lookup, type LookupAddress } from "node:dns"
import type { LookupFunction } from "node:net"
import { Agent, fetch } from "@effect/platform-node/Undici"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import { isLocalAddress, isLocalName } from "./LocalAddress.ts"

/** Finds all addresses of a name; `node:dns` has one. */
export type Lookup = (
  name: string,
  options: { readonly all: true },
  found: (error: Error | null, addresses: ReadonlyArray<LookupAddress>) => void
) => void

/**
 * An HTTP client whose connections are closed with the Layer. Who asks for a name such as `localhost` gets there: whether
 * a page may name one is for `PageReader` to say.
 */
export const layer = (find: Lookup = lookup): Layer.Layer<HttpClient.HttpClient> =>
  Layer.provide(
    FetchHttpClient.layer,
    Layer.effect(
      FetchHttpClient.Fetch,
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => new Agent({ connect: { lookup: guarded(find) } })),
          (agent) => Effect.promise(() => agent.destroy())
        ),
        (dispatcher) => (input, init) =>
          // the types of Undici and of Node differ in words, not in what they say
          fetch(input as string, { ...(init as object), dispatcher }) as never
      )
    )
  )

const guarded =
  (find: Lookup): LookupFunction =>
  (name, options, found) =>
    find(name, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return found(error, "")
      const isWrong =
        addresses.length === 0 || (!isLocalName(name) && addresses.some(({ address }) => isLocalAddress(address)))
      if (isWrong) return found(new Error(`\`${name}\` leads into this network, which no page may`), "")
      const [{ address, family }] = addresses as [LookupAddress, ...Array<LookupAddress>]
      return options.all === true ? found(null, [...addresses]) : found(null, address, family)
    })
