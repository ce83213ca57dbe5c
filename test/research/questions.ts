/**
 * Questions a user of Effect asks, each with the files of the default corpus in which a person finds the answer.
 *
 * All were written in a user's words without looking at what the ranker returns for them. `tuned` and then
 * `firstHoldOut` were used to tune the ranker; `holdOut` was written before the second tuning and first run after it,
 * with no tuning since, so its score is the honest one. To tune further, write another one.
 *
 * `AGENTS.md` is generated from `ai-docs`: where its text answers, the file it was generated from counts as well.
 */

export interface Question {
  readonly question: string
  readonly files: ReadonlyArray<string>
}

const effect = "ai-docs/src/01_effect"

export const tuned: ReadonlyArray<Question> = [
  {
    question: "How do I share a stream between consumers?",
    files: ["AGENTS.md", `${effect}/07_pubsub/index.md`, `${effect}/07_pubsub/10_pubsub.ts`]
  },
  {
    question: "How can I retry with increasing delays and give up after a few attempts?",
    files: ["ai-docs/src/06_schedule/10_schedules.ts"]
  },
  {
    question: "How do I make sure a database connection is closed when I'm done with it?",
    files: [`${effect}/05_resources/10_acquire-release.ts`]
  },
  {
    question: "How can I use Effect inside an Express app?",
    files: ["ai-docs/src/04_integration/10_managed-runtime.ts"]
  },
  {
    question: "How do I wrap a function that returns a promise?",
    files: [`${effect}/01_basics/10_creating-effects.ts`]
  },
  {
    question: "How do I write a unit test without waiting for real time to pass?",
    files: ["ai-docs/src/09_testing/10_effect-tests.ts"]
  },
  {
    question: "How do I send my traces to Jaeger or Honeycomb?",
    files: ["ai-docs/src/08_observability/20_otlp-tracing.ts"]
  },
  {
    question: "How can I avoid the N+1 problem when loading users one by one?",
    files: ["ai-docs/src/05_batching/10_request-resolver.ts"]
  },
  {
    question: "How do I parse command line flags and subcommands?",
    files: ["ai-docs/src/70_cli/10_basics.ts"]
  },
  {
    question: "How do I let the model call my functions?",
    files: ["ai-docs/src/71_ai/20_tools.ts"]
  }
]

export const firstHoldOut: ReadonlyArray<Question> = [
  {
    question: "How do I run my program and shut it down cleanly on Ctrl-C?",
    files: [`${effect}/06_running/10_run-main.ts`, `${effect}/06_running/20_layer-launch.ts`]
  },
  {
    question: "How do I read a log file with one JSON object per line?",
    files: ["ai-docs/src/03_stream/30_encoding.ts"]
  },
  {
    question: "How do I handle different kinds of errors in different ways?",
    files: ["AGENTS.md", `${effect}/04_errors/01_error-handling.ts`, `${effect}/04_errors/10_catch-tags.ts`]
  },
  {
    question: "How can I pick another implementation depending on an environment variable?",
    files: [`${effect}/03_services/20_layer-unwrap.ts`]
  },
  {
    question: "What is the best way to get the current time so that I can test it?",
    files: ["AGENTS.md", "ai-docs/src/07_datetime/index.md", "ai-docs/src/07_datetime/10_creating-and-formatting.ts"]
  },
  {
    question: "How do I start a shell command and read its output?",
    files: ["ai-docs/src/60_child-process/10_working-with-child-processes.ts"]
  },
  {
    question: "How do I check whether an unknown value is a string?",
    files: ["AGENTS.md", "ai-docs/src/10_predicate/index.md", "ai-docs/src/10_predicate/01_basics.ts"]
  },
  {
    question: "How do I remember a conversation with a chatbot over several turns?",
    files: ["ai-docs/src/71_ai/30_chat.ts"]
  },
  {
    question: "How do I protect my REST API with a login token?",
    files: [
      "ai-docs/src/51_http-server/10_basics.ts",
      "ai-docs/src/51_http-server/fixtures/api/Authorization.ts",
      "ai-docs/src/51_http-server/fixtures/server/Authorization.ts"
    ]
  },
  {
    question: "How do I run database migrations?",
    files: ["ai-docs/src/40_sql/10_basics.ts", "ai-docs/src/51_http-server/fixtures/server/Users.ts"]
  },
  {
    question: "How do I give every tenant its own connection pool?",
    files: [`${effect}/05_resources/30_layer-map.ts`]
  },
  {
    question: "How do I keep a job running in the background as long as my app lives?",
    files: [`${effect}/05_resources/20_layer-side-effects.ts`]
  },
  {
    question: "How do I print logs as JSON in production?",
    files: ["ai-docs/src/08_observability/10_logging.ts"]
  },
  {
    question: "How do I fetch all pages of an API?",
    files: ["ai-docs/src/03_stream/10_creating-streams.ts"]
  }
]

export const holdOut: ReadonlyArray<Question> = [
  {
    question: "How do I turn a callback API into something I can await?",
    files: [`${effect}/01_basics/10_creating-effects.ts`]
  },
  {
    question: "How do I fetch the next page of a GraphQL query?",
    files: ["ai-docs/src/52_graphql/10_basics.ts"]
  },
  {
    question: "How can I mock a service in my tests?",
    files: ["ai-docs/src/09_testing/20_layer-tests.ts"]
  },
  {
    question: "How do I convert a date to another time zone?",
    files: ["ai-docs/src/07_datetime/20_time-zones.ts"]
  },
  {
    question: "How do I validate JSON from an untrusted source?",
    files: ["AGENTS.md", `${effect}/02_schema/index.md`, `${effect}/02_schema/10_schema-basics.ts`]
  },
  {
    question: "How do I make a GET request and decode the response?",
    files: ["ai-docs/src/50_http-client/10_basics.ts"]
  },
  {
    question: "How do I define my own error class?",
    files: ["AGENTS.md", `${effect}/04_errors/01_error-handling.ts`]
  },
  {
    question: "How do I inject a dependency?",
    files: [
      "AGENTS.md",
      `${effect}/03_services/index.md`,
      `${effect}/03_services/01_service.ts`,
      `${effect}/03_services/20_layer-composition.ts`
    ]
  },
  {
    question: "How do I share state between several machines?",
    files: ["ai-docs/src/80_cluster/10_entities.ts"]
  },
  {
    question: "How do I set a default value for a setting that can be overridden?",
    files: [`${effect}/03_services/10_reference.ts`]
  },
  {
    question: "How do I get structured data out of a language model?",
    files: ["ai-docs/src/71_ai/10_language-model.ts"]
  },
  {
    question: "How do I combine several layers into one?",
    files: [`${effect}/03_services/20_layer-composition.ts`]
  },
  {
    question: "How do I write something like async/await with Effect?",
    files: ["AGENTS.md", `${effect}/01_basics/01_effect-gen.ts`]
  },
  {
    question: "How do I test my HTTP API without starting a server?",
    files: ["ai-docs/src/51_http-server/20_testing.ts"]
  },
  {
    question: "Which Node and TypeScript versions do I need?",
    files: ["README.md"]
  },
  {
    question: "How do I pipe the output of one program into another?",
    files: ["ai-docs/src/60_child-process/10_working-with-child-processes.ts"]
  }
]
