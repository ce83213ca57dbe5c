/**
 * Questions over five kinds of other people's documents: the packages that are installed here, and our own docs.
 *
 * Each has what the cited lines must hold to answer it; without `answer` the documents do not answer it. They were written
 * in a user's words before the first run. `tuned` may be looked at when something changes; `held` may not, so that its
 * score stays honest: whoever looks at single questions of it moves it over and writes another half.
 */
import { fileURLToPath } from "node:url"

export interface Question {
  readonly question: string
  readonly answer?: RegExp
}

export interface Documents {
  readonly name: string
  readonly root: string
  readonly only?: ReadonlyArray<string>
  readonly tuned: ReadonlyArray<Question>
  readonly held: ReadonlyArray<Question>
}

const packageRoot = (name: string): string => fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url))

const libraries = packageRoot(`@typescript/typescript-${process.platform}-${process.arch}/lib`)

const a = (question: string, answer: RegExp): Question => ({ question, answer })
const none = (question: string): Question => ({ question })

export const all: ReadonlyArray<Documents> = [
  {
    name: "TypeScript",
    root: packageRoot("typescript"),
    tuned: [
      a("How do I install the nightly build?", /typescript@next/),
      a("Where can I report a bug?", /Submit bugs/),
      none("How do I define a prepared statement for Oracle?"),
      none("How long does a chicken need in the oven?"),
      none("How do I publish a package with two-factor authentication?"),
      a("Where is the code of conduct?", /Code of Conduct/),
      a("Where can I try it online without installing anything?", /playground/),
      none("How do I render a component on the server?"),
      none("Which port does the mail server listen on?"),
      none("How do I mock the clock in a unit test?"),
      a("Which forum can I ask other users in?", /Stack Overflow|Discord/),
      a("How do I add it to my project as a dev dependency?", /npm install -D typescript/),
      none("How do I write a Dockerfile?"),
      none("Which database does it use?"),
      none("How do I change the font size of the editor?")
    ],
    held: [
      a("Where can I read about planned features?", /[Rr]oadmap/),
      a("Where is the programming handbook?", /handbook/),
      a("How can I contribute bug fixes?", /Contribute bug fixes|CONTRIBUTING/),
      none("How do I boil an egg?"),
      none("How do I configure a firewall?"),
      none("How do I center a div?")
    ]
  },
  {
    name: "TypeScript's library",
    root: libraries,
    only: `es5 es2015.core es2015.collection es2015.promise es2015.proxy es2017.string es2017.object es2018.promise
    es2019.array es2019.object es2020.promise es2020.string es2021.promise es2021.string es2021.weakref es2022.array es2022.error
    es2023.array es2024.object es2024.promise es2024.collection`
      .split(/\s+/)
      .map((name) => `lib.${name}.d.ts`),
    tuned: [
      a("How do I pad a string with zeros at the start?", /padStart/),
      a("How do I wait until all promises have settled, also the rejected ones?", /allSettled/),
      a("How do I find the last element of an array that satisfies a condition?", /findLast/),
      a("How do I convert a string to an integer?", /parseInt/),
      none("How do I open a websocket with a client certificate?"),
      none("How do I mount a Docker volume?"),
      none("How do I parse a YAML file?"),
      a("How can I sort an array without changing the original?", /toSorted/),
      a("How do I group the items of a list by a key?", /groupBy/),
      a("How do I make an object from a list of key-value pairs?", /fromEntries/),
      a("How do I prevent an object from being modified?", /freeze/),
      none("How do I bind a button to a keyboard shortcut?"),
      none("How do I sign a Kubernetes service account token?"),
      none("How do I unzip a file?"),
      a("How do I check whether a string starts with a certain text?", /startsWith/),
      a("How do I flatten a nested array?", /flat\(|flatMap/),
      a("How do I replace all occurrences in a string?", /replaceAll/),
      a("How do I get the promise together with its resolve function?", /withResolvers/),
      a("How do I round a number up?", /ceil/),
      none("How do I send a push notification?"),
      none("How do I encrypt a file with AES?")
    ],
    held: [
      a("How do I get the keys of an object?", /keys\(o/),
      a("How do I repeat a string several times?", /repeat\(count/),
      a("How do I remove white space from both ends of a string?", /trim\(/),
      a("How do I take the first promise that succeeds?", /any<|any\(|race/),
      a("How do I join the elements of an array into a string?", /join\(/),
      none("How do I print a PDF?"),
      none("How do I authenticate with OAuth?")
    ]
  },
  {
    name: "Vitest",
    root: packageRoot("vitest"),
    tuned: [
      a("How do I make fake timers?", /useFakeTimers/),
      a("How do I retry a test that fails?", /number of times to retry|retry\?: /i),
      a("How do I check that a function was called with certain arguments?", /toHaveBeenCalledWith|CalledWith/),
      a("How do I let a mock return a value only once?", /mockReturnValueOnce|returned during the next function call/),
      a("How can I compare floating point numbers?", /toBeCloseTo/),
      a("Which folder is the coverage report written to?", /reportsDirectory|Directory to write coverage/),
      none("How do I deploy to Cloudflare Pages?"),
      none("How do I translate my app into French?"),
      none("How do I connect to a Redis cluster?"),
      a("How do I change an environment variable for the duration of a test?", /stubEnv/),
      a("How do I mark a test that is expected to fail?", /expected to fail|fails/),
      a("How do I generate coverage even if tests fail?", /reportOnFailure|even when tests fail/),
      a("How do I check that an object has a certain property?", /toHaveProperty/),
      a("How do I spy on a method of an object?", /spyOn/),
      a("How do I reset all mocks before each test?", /clearMocks|mockReset|restoreMocks|clearAllMocks|resetAllMocks/),
      none("How do I set the price of a subscription in Stripe?"),
      none("How do I configure a Kafka consumer group?"),
      none("How do I write a migration for a database table?"),
      a("How do I check that a function throws?", /toThrow/),
      a("How do I stop after a number of failures?", /bail/),
      a("How do I mock a module?", /vi\.mock|mock\(|mock: /),
      a("How do I run tests in random order?", /shuffle|random order/),
      a("How do I set a timeout for a test?", /timeout/i),
      a("How can I skip a test?", /skip/),
      none("How do I calculate VAT for an invoice?"),
      none("How do I upload files to S3?"),
      none("How do I paginate a REST API?")
    ],
    held: [
      a("How do I run a hook before all tests of a file?", /beforeAll/),
      a("How do I wait until something becomes true?", /waitUntil|waitFor/),
      a("How do I test that a promise rejects?", /rejects|toBeRejected|Rejected/),
      a("How do I exclude files from coverage?", /excluded from coverage|exclude/),
      a("How do I repeat a test ten times?", /repeats?/),
      a(
        "How do I check that a string contains a substring?",
        /stringContaining|toContain|contains the expected substring/
      ),
      none("How do I book a flight?"),
      none("How do I tune the garbage collector of the JVM?"),
      none("How do I sign a contract electronically?")
    ]
  },
  {
    name: "React",
    root: packageRoot("@types/react"),
    tuned: [
      a("How do I keep a mutable value without causing a new render?", /useRef/),
      a("How do I skip rendering a component again when its props are the same?", /memo|Lets you skip re-rendering/),
      a("How do I load the code of a component only when it is needed?", /lazy|Lets you defer loading/),
      a("How do I catch errors of the components below?", /componentDidCatch|getDerivedStateFromError/),
      a("How can I pass information deep down without props?", /createContext|Context lets components pass/),
      a("Who wrote these type definitions?", /definitions were written by/),
      none("How do I run a query against MongoDB?"),
      none("What is the tallest mountain in Austria?"),
      none("How do I define a route with parameters?"),
      a("How do I measure how long rendering takes?", /Profiler/),
      a("How do I show a fallback while something loads?", /Suspense/),
      a("How do I group elements without a wrapper node?", /Fragment|group elements without/),
      a("How do I create a unique id for accessibility attributes?", /useId/),
      a("How do I read layout before the browser paints?", /useLayoutEffect|read layout/),
      a("How do I subscribe to an external store?", /useSyncExternalStore/),
      none("How do I train a neural network on images?"),
      none("How do I rotate the log files of nginx?"),
      none("How do I fetch data with GraphQL and cache it?"),
      a("How do I run code after a component was mounted?", /componentDidMount|useEffect/),
      a("How do I cache an expensive calculation between renders?", /useMemo/),
      a("How do I let a parent access the DOM node of a child?", /forwardRef|useImperativeHandle|expose a DOM node/),
      a("How do I mark an update as not urgent?", /[tT]ransition|useDeferredValue|deferred/),
      a("How do I find common bugs early in development?", /StrictMode|find common bugs/),
      a("How do I use a reducer instead of state?", /useReducer/),
      none("How do I schedule a cron job?"),
      none("How do I parse a CSV file?"),
      none("How do I cook rice?")
    ],
    held: [
      a("How do I know whether a transition is still pending?", /useTransition|isPending|waiting for the transition/),
      a("How do I show a label for a custom hook in the developer tools?", /useDebugValue|debug value/),
      a("How do I set the default value of a context?", /createContext|defaultValue/),
      a("How do I keep a callback the same between renders?", /useCallback/),
      a("How do I wrap my tests so that updates are applied?", /\bact\b/),
      a("How do I read the value of a context?", /useContext|current context value|contextType/),
      none("How do I connect to a Bluetooth device?"),
      none("How do I shard a database?"),
      none("How do I bake bread?")
    ]
  },
  {
    name: "a Postgres client",
    root: packageRoot("postgres"),
    tuned: [
      a("How do I run a transaction?", /sql\.begin/),
      a("How do I insert many rows at once?", /array of objects to `sql\(\)`|sql\(users/),
      a("How do I cancel a query that is running?", /\.cancel\(\)/),
      a("What is the default number of connections in the pool?", /By default `max` is 10|default.*max.*10/i),
      a("How do I get column names in camel case?", /postgres\.(?:camel|toCamel)/),
      a("How do I close all connections when my process shuts down?", /sql\.end\(/),
      a("How do I connect to Amazon RDS with SSL?", /ssl/i),
      none("How do I render a chart with D3?"),
      none("How do I make a backup of a MySQL server?"),
      none("How do I calculate the distance between two points with PostGIS?"),
      a("How do I listen to notifications of a channel?", /sql\.listen/),
      a("How do I read a huge result in batches with a cursor?", /\.cursor\(/),
      a("Which environment variables are used for the password?", /PGPASSWORD/),
      a("How do I run a query from a file?", /sql\.file/),
      a("How do I tunnel through ssh?", /ssh2|ssh tunneling/),
      a("What happens if I pass undefined as a value?", /UNDEFINED_VALUE|undefined: null/),
      a("How do I keep one connection for several queries?", /sql\.reserve|reserve/),
      a("How can I turn off prepared statements?", /prepare: false/),
      none("How do I animate a page transition?"),
      none("How do I send an email with an attachment?"),
      none("How do I set up streaming replication with a standby server?"),
      a("How do I use it with TypeScript?", /TypeScript support|<User\[\]>/),
      a("How do I subscribe to changes of a table in real time?", /sql\.subscribe|real-time updates/),
      a("How do I copy data from a stream into a table?", /COPY|copy users/),
      a("How do I update several rows in one query?", /update_data/),
      a("Can I use it in Cloudflare Workers?", /Cloudflare/),
      a("What does the error CONNECT_TIMEOUT mean?", /CONNECT_TIMEOUT/),
      a("How do I see the query that is sent?", /debug|describe/),
      none("How do I write a React hook?"),
      none("How do I index documents in Elasticsearch?"),
      none("How do I resize an image?")
    ],
    held: [
      a("How do I install it?", /npm install postgres/),
      a("How do I use a savepoint?", /savepoint/i),
      a("How do I handle big integers?", /BigInt/),
      a("How do I close idle connections automatically?", /idle_timeout/),
      a("How do I choose columns dynamically?", /sql\(columns\)/),
      a("How do I build a dynamic where filter?", /olderThan|where user_id|Dynamic filters|where in/i),
      a("How many rows were affected by my update?", /\.count|number of affected rows/),
      none("How do I write a Vue component?"),
      none("How do I measure the temperature with a Raspberry Pi?"),
      none("How do I compress a video?")
    ]
  },
  {
    name: "our own docs",
    root: fileURLToPath(new URL("../../docs", import.meta.url)),
    tuned: [
      a("How do I limit what a program may spend on tokens?", /[Bb]udget/),
      a("How do I stop a running agent?", /[Ii]nterrupt/),
      a("How do I test an agent without calling a real model?", /ScriptedModel|Cassette/),
      a("How do I ask a person before a tool is run?", /needsApproval|[Aa]pproval/),
      a("Why is a stream called a promise?", /MessagePromise/),
      a("How do I send images to a model?", /image/i),
      none("How do I mine bitcoin on a graphics card?"),
      none("What did Shakespeare write in 1599?"),
      none("How do I fine-tune a model on my own data?"),
      a("How do I keep a conversation in a database?", /SqlHistory|Store|Conversation/),
      a("What happens to a failure that nobody reads?", /logged once/),
      a("How do I fall back to another model when one fails?", /fallback/i),
      a("How do I shorten a conversation that is too long for the model?", /Compaction|compact|summar/i),
      a("How do I survive a crash of the process?", /[Dd]urable/),
      a("How do I serve an agent over HTTP with a token?", /Guard|token/),
      a("How do I get JSON of a certain shape from a model?", /makeObject/),
      a("How do I see what my agents do in a browser?", /[Ii]nspector/),
      none("How do I weld aluminium?"),
      none("How do I install a printer driver on Windows?"),
      none("How do I store embeddings in Pinecone?"),
      a("How do I delay an agent for two days?", /Durable\.sleep|sleep/),
      a("How do I use Ollama on my own machine?", /[Oo]llama/),
      a("What happens when a slow reader does not keep up?", /slow reader|does not read/),
      a("How do I write a log of all prompts to a file?", /LlmLogger/),
      a("How do I call an agent that runs on another server?", /RemoteAgent/),
      a("How do I let several models race?", /[Rr]ace/),
      a("How do I protect my server from other origins?", /origins/),
      none("How do I plan a wedding?"),
      none("How do I compile Rust to WebAssembly?"),
      none("What does the enterprise plan cost?")
    ],
    held: [
      a("How do I write a test with recorded answers of a real model?", /[Cc]assette/),
      a("How do I use an agent as a tool of another agent?", /AgentTool/),
      a("How do I rewind or fork a conversation?", /fork|rewind/),
      a("How do I export spans to OpenTelemetry?", /OTLP|OpenTelemetry|otlp/),
      a("How do I see how much a conversation has cost?", /Pricing|--cost|cost/),
      a("How do I run agents on several machines?", /[Cc]luster/),
      a("What grows without bound in memory?", /kept as long as|kept for replay|bounded by/),
      none("How do I repair a bicycle?"),
      none("How do I file my tax return?"),
      none("Which GPU do I need to train a model?")
    ]
  }
]
