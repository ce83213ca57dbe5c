/** The words that the program understands. What a command does is loaded when it is asked for. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"

/** What both commands can be told. */
export interface Settings {
  readonly provider: Option.Option<string>
  readonly model: Option.Option<string>
  readonly system: Option.Option<string>
  readonly log: boolean
}

const flags = {
  provider: Flag.Literals("provider", ["openai", "anthropic"]).pipe(
    Flag.withDescription("Whose model; without it, the one the environment has a key or an address for"),
    Flag.optional
  ),
  model: Flag.String("model").pipe(
    Flag.withAlias("m"),
    Flag.withDescription("The name of the model; without it, the provider's usual one"),
    Flag.optional
  ),
  system: Flag.String("system").pipe(
    Flag.withAlias("s"),
    Flag.withDescription("What the model is told first"),
    Flag.optional
  ),
  log: Flag.Boolean("log").pipe(
    Flag.withDescription("Write every request and its response to the folder llm_logs"),
    Flag.withDefault(false)
  )
}

const chat = Command.make(
  "chat",
  {
    ...flags,
    history: Flag.File("history").pipe(
      Flag.withDescription(
        "The Markdown file that keeps the conversation, and that it goes on from (default: CHAT.md)"
      ),
      Flag.withDefault("CHAT.md")
    ),
    cost: Flag.Boolean("cost").pipe(
      Flag.withDescription("After each answer, how many tokens it took so far, how many were cached, and the cost"),
      Flag.withDefault(false)
    )
  },
  (settings) =>
    Effect.flatMap(
      load(() => import("./chat.ts")),
      ({ run }) => run(settings)
    )
).pipe(
  Command.withDescription("Talks with a model, and keeps the conversation in a file"),
  Command.withExamples([
    { command: "miniagents chat" },
    { command: 'miniagents chat --history notes/rust.md --system "You teach Rust"' }
  ])
)

const ask = Command.make(
  "ask",
  {
    ...flags,
    words: Argument.String("question").pipe(
      Argument.withDescription("What to ask; what comes through a pipe is put below it, or is the question itself"),
      Argument.variadic()
    )
  },
  (settings) =>
    Effect.flatMap(
      load(() => import("./ask.ts")),
      ({ run }) => run(settings)
    )
).pipe(
  Command.withDescription("Asks once: the answer, and nothing else, goes to the standard output"),
  Command.withExamples([
    { command: 'miniagents ask "What is a monad?"' },
    { command: 'git diff | miniagents ask "Write a commit message"' }
  ])
)

const inspect = Command.make(
  "inspect",
  {
    port: Flag.Int("port").pipe(
      Flag.withDescription("The port of the page on this machine; without it, one that is free"),
      Flag.optional
    ),
    words: Argument.String("program or recording").pipe(
      Argument.withDescription("A program and its own words, or files that an inspector has recorded (*.ndjson)"),
      Argument.variadic()
    )
  },
  (inspected) =>
    Effect.flatMap(
      load(() => import("./inspect.ts")),
      ({ run }) => run(inspected)
    )
).pipe(
  Command.withDescription("Runs a program and shows in a browser what its agents do, or shows a recorded run"),
  Command.withExamples([
    { command: "miniagents inspect app.ts" },
    { command: "miniagents inspect recordings/20261127_151234_123.ndjson" }
  ])
)

const init = Command.make(
  "init",
  {
    folder: Argument.String("folder").pipe(
      Argument.withDescription("Where the project is to be; a folder that is new or empty")
    )
  },
  ({ folder }) =>
    Effect.flatMap(
      load(() => import("./init.ts")),
      ({ run }) => run(folder)
    )
).pipe(
  Command.withDescription("Makes a project with agents, a test and a server, which runs at once and without a key"),
  Command.withExamples([{ command: "miniagents init desk" }])
)

const serve = Command.make(
  "serve",
  {
    file: Argument.File("file").pipe(
      Argument.withDescription("The module that exports the agents, and as `layer` what they require, if anything")
    ),
    port: Flag.Int("port").pipe(
      Flag.withAlias("p"),
      Flag.withDescription("The port to listen on; 0 is any that is free"),
      Flag.withDefault(4000)
    ),
    token: Flag.Redacted("token").pipe(
      Flag.withDescription("The bearer token that clients must have (default: MINIAGENTS_TOKEN, or none)"),
      Flag.optional
    ),
    store: Flag.File("store").pipe(
      Flag.withDescription("A file of SQLite that keeps the runs, so that they go on when the server begins again"),
      Flag.optional
    )
  },
  (settings) =>
    Effect.flatMap(
      load(() => import("./served.ts")),
      ({ run }) => run(settings)
    )
).pipe(
  Command.withDescription("Serves the agents that a file exports, in every protocol, to programs on this machine"),
  Command.withExamples([
    { command: "miniagents serve agents.ts" },
    { command: "miniagents serve agents.ts --port 8080 --store runs.db" }
  ])
)

export const command = Command.make("miniagents").pipe(
  Command.withDescription(
    [
      "Talks to a language model: the one that --provider and --model say, or else the environment:",
      "",
      "    OPENAI_API_KEY, ANTHROPIC_API_KEY          a key",
      "    OPENAI_BASE_URL, ANTHROPIC_BASE_URL        a server of your own, with or without a key",
      "    MINIAGENTS_PROVIDER, MINIAGENTS_MODEL      which one, where there are several",
      "",
      "  Exit status: 0 done, 1 no answer, 2 wrong words or configuration, 130 interrupted."
    ].join("\n")
  ),
  Command.withSubcommands([chat, ask, init, inspect, serve])
)

/** What follows a program that is inspected are its own words, whatever they look like. */
export const operands = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const first = args.findIndex((arg, i) => i > 0 && !arg.startsWith("-") && args[i - 1] !== "--port")
  if (args[0] !== "inspect" || first < 0 || args.slice(0, first).includes("--")) return args
  return [...args.slice(0, first), "--", ...args.slice(first)]
}

const load = <A>(module: () => Promise<A>): Effect.Effect<A> => Effect.promise(module)
