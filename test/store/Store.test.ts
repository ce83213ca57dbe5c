/** The store, in memory and on SQLite. */

import { Layer } from "effect"
import { SqliteClient } from "miniagents/sqlite"
import { Store } from "miniagents/store"
import { suite } from "./Store.contract.ts"

suite("in memory", Store.layerMemory)
suite("SQLite", Layer.orDie(Layer.provide(Store.layer(), SqliteClient.layer({ filename: ":memory:" }))))
