/** The words that the program understands. What a command does is loaded when it is asked for. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Order } from "./operate.ts"
import type { Flags } from "./runs.ts"

/** What both commands can be told. */
export interface Settings {
  readonly provider: Option.Option<string>
  readonly model: Option.Option<string>
  readonly system: Option.Option<string>
  readonly log: boolean
}

/** As `ModelChoice.names`, which is not loaded for a word of help. */
const providers = ["openai", "anthropic", "gemini", "mistral", "deepseek", "openrouter", "azure", "ollama"] as const

const flags = {
  provider: Flag.Literals("provider", providers).pipe(
    Flag.withDescription("Whose model; without it, the one the environment has a key or an address for"),
    Flag.optional
  ),
  model: Flag.String("model").pipe(
    Flag.withAlias("m"),
    Flag.withDescription("The model, as `gpt-5.2` or `gemini/gemini-3.5-flash`; without it, the provider's usual one"),
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
    cost: Flag.Boolean("cost").pipe(
      Flag.withDescription(
        "Say on the standard error output how many tokens it took, how many were cached, the cost, and the time"
      ),
      Flag.withDefault(false)
    ),
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
    { command: 'git diff | miniagents ask --cost "Write a commit message"' }
  ])
)

const inspect = Command.make(
  "inspect",
  {
    port: Flag.Int("port").pipe(
      Flag.withDescription("The port of the page on this machine; without it, one that is free"),
      Flag.optional
    ),
    words: Argument.String("program, recording or store").pipe(
      Argument.withDescription(
        "A program and its own words; files that an inspector has recorded (*.ndjson); or a store (runs.db, postgres://…), and a file of agents that go on with its runs"
      ),
      Argument.variadic()
    )
  },
  (inspected) =>
    Effect.flatMap(
      load(() => import("./inspect.ts")),
      ({ run }) => run(inspected)
    )
).pipe(
  Command.withDescription(
    "Runs a program and shows in a browser what its agents do, or shows recorded runs or a store of them"
  ),
  Command.withExamples([
    { command: "miniagents inspect app.ts" },
    { command: "miniagents inspect recordings/20261127_151234_123.ndjson" },
    { command: "miniagents inspect runs.db agents.ts" }
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
    store: Flag.String("store").pipe(
      Flag.withDescription(
        "A file of SQLite or the address of a Postgres that keeps the runs, so that they go on when the server begins again"
      ),
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

const store = {
  store: Flag.String("store").pipe(
    Flag.withDescription("Where the runs are kept: a file of SQLite, or postgres://user@host/database")
  ),
  prefix: Flag.String("prefix").pipe(
    Flag.withDescription("What the names of the tables begin with (default: miniagents_)"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Write JSON, for programs"), Flag.withDefault(false))
}

const run = Argument.String("run").pipe(Argument.withDescription("The id of the run"))

const operate = (flags: Flags, order: Order) =>
  Effect.flatMap(
    load(() => import("./runs.ts")),
    ({ run }) => run(flags, order)
  )

const runs = Command.make("runs").pipe(
  Command.withDescription("Looks after runs that are kept in a store, here or by servers"),
  Command.withSubcommands([
    Command.make("list", store, (flags) => operate(flags, { what: "list" })).pipe(
      Command.withDescription("The runs, how they stand, and what they wait for"),
      Command.withExamples([{ command: "miniagents runs list --store runs.db" }])
    ),
    Command.make("show", { ...store, id: run }, ({ id, ...flags }) => operate(flags, { what: "show", id })).pipe(
      Command.withDescription("One run: what it waits for, what it has cost, and its calls")
    ),
    Command.make(
      "signal",
      {
        ...store,
        id: run,
        name: Argument.String("signal").pipe(Argument.withDescription("The name that the run waits for")),
        value: Argument.String("value").pipe(Argument.withDescription("JSON, or a text as it is")),
        early: Flag.Boolean("early").pipe(
          Flag.withDescription("Send it although nothing in the run waits for it yet"),
          Flag.withDefault(false)
        )
      },
      ({ early, id, name, value, ...flags }) => operate(flags, { what: "signal", id, name, value, early })
    ).pipe(
      Command.withDescription("Answers what a run waits for"),
      Command.withExamples([
        { command: `miniagents runs signal r-1 approval '{"by":"Ann"}' --store runs.db` },
        { command: `miniagents runs signal r-1 approval:Clerk/call-1 '{"approved":true}' --store runs.db` }
      ])
    ),
    Command.make("interrupt", { ...store, id: run }, ({ id, ...flags }) =>
      operate(flags, { what: "interrupt", id })
    ).pipe(Command.withDescription("Ends a run, wherever it is, and all that it called")),
    Command.make("delete", { ...store, id: run }, ({ id, ...flags }) => operate(flags, { what: "delete", id })).pipe(
      Command.withDescription("Deletes a run that has ended, with all that is kept of it")
    ),
    Command.make(
      "rerun",
      {
        ...store,
        id: run,
        file: Argument.File("file").pipe(
          Argument.withDescription(
            "The module that exports the agent as it is now; without it, a server of that agent takes the run up"
          ),
          Argument.optional
        ),
        as: Flag.String("as").pipe(Flag.withDescription("The id of the new run"), Flag.optional),
        input: Flag.String("input").pipe(Flag.withDescription("What the agent is sent instead"), Flag.optional),
        parameters: Flag.String("parameters").pipe(
          Flag.withDescription("The parameters of the agent instead, as JSON"),
          Flag.optional
        )
      },
      ({ as, file, id, input, parameters, ...flags }) =>
        operate(flags, {
          ...{ what: "rerun", id },
          ...{ file: Option.getOrUndefined(file), as: Option.getOrUndefined(as) },
          ...{ input: Option.getOrUndefined(input), parameters: Option.getOrUndefined(parameters) }
        })
    ).pipe(
      Command.withDescription("Runs again, and asks only what has changed"),
      Command.withExamples([{ command: "miniagents runs rerun r-1 agents.ts --as r-2 --store runs.db" }])
    ),
    Command.make(
      "diff",
      {
        ...store,
        left: Argument.String("left").pipe(Argument.withDescription("The id of a run")),
        right: Argument.String("right").pipe(Argument.withDescription("The id of another one"))
      },
      ({ left, right, ...flags }) => operate(flags, { what: "diff", left, right })
    ).pipe(Command.withDescription("Which calls of two runs differ, and in what"))
  ])
)

const cluster = Command.make(
  "cluster",
  {
    file: Argument.File("file").pipe(
      Argument.withDescription(
        "The module that exports the services, and as `layer` what runs them; or a Layer `cluster`"
      )
    ),
    store: Flag.Redacted("store").pipe(
      Flag.withDescription(
        "What the processes share: postgres://user@host/database, or a file of SQLite (default: DATABASE_URL)"
      ),
      Flag.optional
    ),
    host: Flag.String("host").pipe(
      Flag.withDescription("The address of this machine for the other processes (default: HOST, or 127.0.0.1)"),
      Flag.withFallbackConfig(Config.String("HOST")),
      Flag.withDefault("127.0.0.1")
    ),
    port: Flag.Int("port").pipe(
      Flag.withAlias("p"),
      Flag.withDescription("The port for the other processes"),
      Flag.withDefault(34431)
    ),
    probes: Flag.Int("probes").pipe(
      Flag.withDescription("The port of /health, /ready and /metrics"),
      Flag.withDefault(34432)
    ),
    durable: Flag.Boolean("durable").pipe(
      Flag.withDescription("Keep each call as a durable run, so that another process goes on with it"),
      Flag.withDefault(false)
    ),
    drain: Flag.String("drain").pipe(
      Flag.withDescription("How long calls may take to end when this process is told to"),
      Flag.withDefault("15 seconds")
    )
  },
  (settings) =>
    Effect.flatMap(
      load(() => import("./clustered.ts")),
      ({ run }) => run(settings)
    )
).pipe(
  Command.withDescription("Runs the services that a file exports, as one process of a cluster"),
  Command.withExamples([
    { command: "miniagents cluster agents.ts --store postgres://database/agents --host 10.0.0.7" },
    { command: "miniagents cluster agents.ts --store cluster.db --durable" }
  ])
)

export const command = Command.make("miniagents").pipe(
  Command.withDescription(
    [
      "Talks to a language model: the one that --provider and --model say, or else the environment:",
      "",
      "    OPENAI_API_KEY, ANTHROPIC_API_KEY          a key; or that of GEMINI, MISTRAL, DEEPSEEK, OPENROUTER",
      "    OPENAI_BASE_URL, ANTHROPIC_BASE_URL        a server of your own, with or without a key",
      "    AZURE_OPENAI_ENDPOINT, OLLAMA_HOST         the address of these, for Azure with AZURE_OPENAI_API_KEY",
      "    MINIAGENTS_PROVIDER, MINIAGENTS_MODEL      which one, where there are several",
      "",
      "  Exit status: 0 done, 1 no answer, 2 wrong words or configuration, 130 interrupted."
    ].join("\n")
  ),
  Command.withSubcommands([chat, ask, init, inspect, serve, cluster, runs])
)

/** What follows a program that is inspected are its own words, whatever they look like. */
export const operands = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const first = args.findIndex((arg, i) => i > 0 && !arg.startsWith("-") && args[i - 1] !== "--port")
  if (args[0] !== "inspect" || first < 0 || args.slice(0, first).includes("--")) return args
  return [...args.slice(0, first), "--", ...args.slice(first)]
}

const load = <A>(module: () => Promise<A>): Effect.Effect<A> => Effect.promise(module)
