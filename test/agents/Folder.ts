/** A file system with a folder of its own, gone when the test has ended. */

import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, FileSystem, Layer, type Path } from "effect"

export class Folder extends Context.Service<Folder, string>()("test/Folder") {
  static readonly layer: Layer.Layer<Folder | FileSystem.FileSystem | Path.Path> = Layer.provideMerge(
    Layer.effect(
      Folder,
      FileSystem.FileSystem.use((fs) => Effect.orDie(fs.makeTempDirectoryScoped({ prefix: "miniagents-" })))
    ),
    NodeServices.layer
  )
}
