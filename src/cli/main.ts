#!/usr/bin/env node
/** The program `miniagents`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stdio from "effect/Stdio"
import { harmless } from "../console/console.ts"
import { command, operands } from "./command.ts"
import { misuse, Refusal } from "./refusal.ts"
import { version } from "./version.ts"

/** Help that was asked for; what is wrong with the words is told like all else that is wrong. */
const presenter: CliOutput.Presenter = {
  present: (event) => (event._tag === "InvalidInvocation" ? Effect.void : CliOutput.defaultPresenter.present(event))
}

Effect.flatMap(Stdio.Stdio, (stdio) => stdio.args).pipe(
  Effect.flatMap((args) => Command.runWith(command, { version })(operands(args))),
  Effect.catchTag("ShowHelp", (help) => {
    const sentences = help.errors.map(({ message }) => message).join("\n")
    const message = `${sentences}\nSee: ${help.commandPath.join(" ")} --help`
    return Effect.fail(help.errors.length === 0 ? help : new Refusal({ message, status: misuse }))
  }),
  Effect.tapErrorTag("Refusal", ({ message }) => Console.error(harmless(message))),
  // whoever read the output has enough
  Effect.catchIf(
    (error) => error._tag === "PlatformError" && isBrokenPipe(error.reason.cause),
    () => Effect.void
  ),
  Effect.provide(
    Layer.mergeAll(
      NodeServices.layer,
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
      CliOutput.layerPresenter(presenter),
      // the standard output is for answers
      Logger.layer([Logger.withConsoleError(Logger.map(Logger.formatSimple, harmless))])
    )
  ),
  NodeRuntime.runMain
)

function isBrokenPipe(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "EPIPE"
}
