/** The server that the conformance suite of MCP asks for: what an agent can be is an agent, all else is registered. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import { Agent } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
const wav = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
const bytes = (base64: string) => Uint8Array.from(Buffer.from(base64, "base64"))

class Failed extends Schema.TaggedError<Failed>()("Failed", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

const greet = Agent.make("greet", { parameters: { name: Schema.String } }, (ctx) =>
  ctx.reply(`Hello, ${ctx.parameters.name}!`)
)
const compute = { seconds: Schema.Finite, label: Schema.String }
const slowCompute = Agent.make("slow_compute", { parameters: compute }, (ctx) =>
  Effect.andThen(Effect.sleep(ctx.parameters.seconds * 1000), ctx.reply(ctx.parameters.label))
)
/** It is called without arguments. */
const nothing = { how: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("so"))) }
const failingJob = Agent.make("failing_job", { parameters: nothing }, () =>
  Effect.fail(new Failed({ reason: "no luck" }))
)
const protocolErrorJob = Agent.make("protocol_error_job", { parameters: nothing }, () =>
  Effect.die(new Error("secret"))
)

const Delete = Tool.make("Delete", {
  parameters: Schema.Struct({ name: Schema.String }),
  success: Schema.String,
  needsApproval: true
})
const kit = Toolkit.make(Delete)
const toolkit = Effect.provide(kit, kit.toLayer({ Delete: ({ name }) => Effect.succeed(`${name} is deleted`) }))
const turn = (...names: ReadonlyArray<string>) =>
  ScriptedModel.turn(...names.map((name) => ScriptedModel.toolCall("Delete", { name })))
const done = ScriptedModel.turn(ScriptedModel.text("done"))
const script = (...names: ReadonlyArray<string>) =>
  ScriptedModel.layer([
    ScriptedModel.always(ScriptedModel.when(done, ({ text }) => text.includes("tool:"))),
    ScriptedModel.always(turn(...names))
  ])
const confirmDelete = Agent.make("confirm_delete", { parameters: { filename: Schema.String } }, (ctx) =>
  Effect.flatMap(
    LlmAgent.make("Deleter", { toolkit, model: script(ctx.parameters.filename) }).trigger("delete it"),
    ctx.reply
  )
)
const multiInput = Agent.make("multi_input", { parameters: nothing }, (ctx) =>
  Effect.flatMap(LlmAgent.make("Deleter", { toolkit, model: script("a", "b") }).trigger("delete them"), ctx.reply)
)

/** The fixtures that are agents, and how far they are tasks. */
export const agents = [greet, slowCompute, failingJob, protocolErrorJob, confirmDelete, multiInput] as const
export const tasks = {
  slow_compute: "offered",
  failing_job: "required",
  protocol_error_job: "offered",
  confirm_delete: "offered",
  multi_input: "offered"
} as const

type Result = McpSchema.CallToolResult | McpSchema.InputRequired
type Failure = McpSchema.InternalError | McpSchema.InvalidParams
interface Called {
  readonly given: Readonly<Record<string, unknown>>
  readonly request: McpSchema.McpRequestContext["Service"]
  readonly client: McpSchema.McpServerClient["Service"] | undefined
  readonly server: McpServer.McpServer["Service"]
}

const text = (text: string) => new McpSchema.CallToolResult({ content: [McpSchema.TextContent.make({ text })] })
const image = McpSchema.ImageContent.make({ data: bytes(png), mimeType: "image/png" })
const resource = (uri: string, mimeType: string, text: string) =>
  McpSchema.EmbeddedResource.make({ resource: { uri, mimeType, text } })

type Properties = Readonly<Record<string, Readonly<Record<string, unknown>>>>
const tool = (
  name: string,
  handle: (called: Called) => Effect.Effect<Result, Failure>,
  properties: Properties = {},
  more: Readonly<Record<string, unknown>> = {}
) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const server = yield* McpServer.McpServer
      const inputSchema: McpSchema.ToolJson = { type: "object", properties, ...more }
      yield* server.addTool({
        tool: new McpSchema.Tool({ name, description: name, inputSchema }),
        annotations: Context.empty(),
        handle: (given) =>
          Effect.gen(function* () {
            const request = yield* McpSchema.McpRequestContext
            const client = Option.getOrUndefined(yield* Effect.serviceOption(McpSchema.McpServerClient))
            return yield* handle({ given, request, client, server })
          })
      })
    })
  )

const ask = (client: Called["client"], message: string, properties: Properties) => {
  if (client === undefined) return Effect.fail(new McpSchema.InternalError({ message: "The client cannot be asked" }))
  const requestedSchema = { type: "object", properties, required: Object.keys(properties) }
  const params = Schema.decodeUnknownSync(McpSchema.ElicitRequestFormParams)({ mode: "form", message, requestedSchema })
  return Effect.flatMap(client.getClient, ({ elicit }) => elicit(params)).pipe(
    Effect.scoped,
    Effect.mapError(() => new McpSchema.InternalError({ message: "The client did not answer" })),
    Effect.map((result) => {
      const content = "content" in result ? result.content : undefined
      return text(`Elicitation completed: action=${result.action}, content=${JSON.stringify(content)}`)
    })
  )
}

const elicitation = (message: string, properties: Properties): McpSchema.McpInputRequest => ({
  method: "elicitation/create",
  params: {
    mode: "form",
    message,
    requestedSchema: { type: "object", properties, required: Object.keys(properties) }
  }
})
const sampling = (text: string): McpSchema.McpInputRequest => ({
  method: "sampling/createMessage",
  params: { messages: [{ role: "user", content: { type: "text", text } }], maxTokens: 100 }
})
const roots: McpSchema.McpInputRequest = { method: "roots/list", params: {} }

const content = (response: unknown): Readonly<Record<string, unknown>> =>
  ((response as { readonly content?: unknown } | undefined)?.content ?? {}) as Readonly<Record<string, unknown>>

/** Asks until all is answered. */
const rounds = (
  name: string,
  asked: Readonly<Record<string, McpSchema.McpInputRequest>>,
  fits: (responses: Readonly<Record<string, McpSchema.McpInputResponse>>) => string | undefined,
  requestState?: string
) =>
  tool(name, ({ request }) => {
    if (request.requestState !== undefined && request.requestState !== requestState) {
      return Effect.fail(new McpSchema.InvalidParams({ message: "`requestState` was changed" }))
    }
    const said = request.inputResponses === undefined ? undefined : fits(request.inputResponses)
    return Effect.succeed(
      said === undefined
        ? new McpSchema.InputRequired({ inputRequests: asked, ...(requestState === undefined ? {} : { requestState }) })
        : text(said)
    )
  })

const choices = ["option1", "option2", "option3"]
const titled = [
  { const: "value1", title: "First Option" },
  { const: "value2", title: "Second Option" }
]

const tools = Layer.mergeAll(
  tool("test_simple_text", () => Effect.succeed(text("This is a simple text response for testing."))),
  tool("test_image_content", () => Effect.succeed(new McpSchema.CallToolResult({ content: [image] }))),
  tool("test_audio_content", () =>
    Effect.succeed(
      new McpSchema.CallToolResult({
        content: [McpSchema.AudioContent.make({ data: bytes(wav), mimeType: "audio/wav" })]
      })
    )
  ),
  tool("test_embedded_resource", () =>
    Effect.succeed(
      new McpSchema.CallToolResult({
        content: [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")]
      })
    )
  ),
  tool("test_multiple_content_types", () =>
    Effect.succeed(
      new McpSchema.CallToolResult({
        content: [
          McpSchema.TextContent.make({ text: "Multiple content types test:" }),
          image,
          resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
        ]
      })
    )
  ),
  tool("test_tool_with_logging", ({ server }) =>
    Effect.as(
      Effect.forEach(["Tool execution started", "Tool processing data", "Tool execution completed"], (data) =>
        Effect.andThen(server.notifications["notifications/message"]({ level: "info", data }), Effect.sleep(50))
      ).pipe(Effect.orDie),
      text("done")
    )
  ),
  tool("test_error_handling", () =>
    Effect.fail(new McpSchema.InternalError({ message: "This tool intentionally returns an error for testing" }))
  ),
  tool("test_tool_with_progress", ({ request, server }) => {
    const progressToken = request.requestMetadata?.progressToken as string | number | undefined
    const tell = (progress: number) =>
      progressToken === undefined
        ? Effect.void
        : Effect.orDie(server.notifications["notifications/progress"]({ progressToken, progress, total: 100 }))
    return Effect.as(
      Effect.forEach([0, 50, 100], (progress) => Effect.andThen(tell(progress), Effect.sleep(50))),
      text("done")
    )
  }),
  tool(
    "test_sampling",
    ({ client, given }) =>
      client === undefined
        ? Effect.fail(new McpSchema.InternalError({ message: "The client cannot be asked" }))
        : Effect.flatMap(client.getClient, ({ createMessage }) =>
            createMessage(
              Schema.decodeUnknownSync(McpSchema.CreateMessage.payloadSchema)({
                messages: [{ role: "user", content: { type: "text", text: given.prompt } }],
                maxTokens: 100
              })
            )
          ).pipe(
            Effect.scoped,
            Effect.mapError(() => new McpSchema.InternalError({ message: "The client did not answer" })),
            Effect.map(({ content }) => text(`LLM response: ${JSON.stringify(content)}`))
          ),
    { prompt: { type: "string" } }
  ),
  tool(
    "test_elicitation",
    ({ client, given }) =>
      ask(client, String(given.message), { username: { type: "string" }, email: { type: "string" } }),
    { message: { type: "string" } }
  ),
  tool("test_elicitation_sep1034_defaults", ({ client }) =>
    ask(client, "defaults", {
      name: { type: "string", default: "John Doe" },
      age: { type: "integer", default: 30 },
      score: { type: "number", default: 95.5 },
      status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", default: true }
    })
  ),
  tool("test_elicitation_sep1330_enums", ({ client }) =>
    ask(client, "enums", {
      untitledSingle: { type: "string", enum: choices },
      titledSingle: { type: "string", oneOf: titled },
      legacyEnum: { type: "string", enum: choices, enumNames: ["Option One", "Option Two", "Option Three"] },
      untitledMulti: { type: "array", items: { type: "string", enum: choices } },
      titledMulti: { type: "array", items: { anyOf: titled } }
    })
  ),
  tool(
    "json_schema_2020_12_tool",
    () => Effect.succeed(text("ok")),
    {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" }
    },
    {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $defs: {
        address: {
          $anchor: "addressDef",
          type: "object",
          properties: { street: { type: "string" }, city: { type: "string" } }
        }
      },
      allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
      if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
      // oxlint-disable-next-line no-thenable
      then: { required: ["phone"] },
      else: { required: ["email"] },
      additionalProperties: false
    }
  ),
  tool("test_missing_capability", () =>
    Effect.succeed(new McpSchema.InputRequired({ inputRequests: { question: sampling("Who?") } }))
  ),
  tool("test_streaming_elicitation", () =>
    Effect.succeed(
      new McpSchema.InputRequired({ inputRequests: { name: elicitation("Who?", { name: { type: "string" } }) } })
    )
  ),
  tool("test_logging_tool", ({ server }) =>
    Effect.as(Effect.orDie(server.notifications["notifications/message"]({ level: "info", data: "hi" })), text("done"))
  ),
  tool("test_trigger_tool_change", ({ server }) =>
    Effect.as(Effect.orDie(server.notifications["notifications/tools/list_changed"]({})), text("done"))
  ),
  tool("test_trigger_prompt_change", ({ server }) =>
    Effect.as(Effect.orDie(server.notifications["notifications/prompts/list_changed"]({})), text("done"))
  ),
  tool("test_x_mcp_header", () => Effect.succeed(text("ok")), { region: { type: "string", "x-mcp-header": "Region" } }),
  rounds(
    "test_input_required_result_elicitation",
    { user_name: elicitation("What is your name?", { name: { type: "string" } }) },
    ({ user_name }) => {
      const { name } = content(user_name)
      return typeof name === "string" ? `Hello, ${name}!` : undefined
    }
  ),
  rounds(
    "test_input_required_result_sampling",
    { capital_question: sampling("What is the capital of France?") },
    ({ capital_question }) => (capital_question === undefined ? undefined : JSON.stringify(capital_question))
  ),
  rounds("test_input_required_result_list_roots", { client_roots: roots }, ({ client_roots }) =>
    client_roots === undefined ? undefined : JSON.stringify(client_roots)
  ),
  rounds(
    "test_input_required_result_request_state",
    { confirm: elicitation("Please confirm", { ok: { type: "boolean" } }) },
    ({ confirm }) => (confirm === undefined ? undefined : "state-ok"),
    "state"
  ),
  rounds(
    "test_input_required_result_tampered_state",
    { confirm: elicitation("Please confirm", { ok: { type: "boolean" } }) },
    ({ confirm }) => (confirm === undefined ? undefined : "state-ok"),
    "a state that nobody can guess"
  ),
  rounds(
    "test_input_required_result_multiple_inputs",
    {
      user_name: elicitation("What is your name?", { name: { type: "string" } }),
      greeting: sampling("Generate a greeting"),
      client_roots: roots
    },
    ({ client_roots, greeting, user_name }) =>
      client_roots && greeting && user_name ? JSON.stringify([user_name, greeting, client_roots]) : undefined,
    "state"
  ),
  tool("test_input_required_result_multi_round", ({ request: { inputResponses, requestState } }) => {
    if (inputResponses?.step2 !== undefined && requestState === "2") return Effect.succeed(text("done"))
    const next = inputResponses?.step1 !== undefined && requestState === "1"
    const inputRequests: Record<string, McpSchema.McpInputRequest> = next
      ? { step2: elicitation("Step 2: What is your favorite color?", { color: { type: "string" } }) }
      : { step1: elicitation("Step 1: What is your name?", { name: { type: "string" } }) }
    return Effect.succeed(new McpSchema.InputRequired({ inputRequests, requestState: next ? "2" : "1" }))
  }),
  tool("test_input_required_result_capabilities", ({ request: { clientCapabilities, inputResponses } }) => {
    if (inputResponses !== undefined) return Effect.succeed(text("done"))
    const inputRequests = {
      ...(clientCapabilities.sampling === undefined ? {} : { question: sampling("Who?") }),
      ...(clientCapabilities.elicitation === undefined
        ? {}
        : { name: elicitation("Who?", { name: { type: "string" } }) })
    }
    return Effect.succeed(new McpSchema.InputRequired({ inputRequests }))
  })
)

const user = (content: McpSchema.ContentBlock) => ({ role: "user" as const, content })

const prompts = Layer.mergeAll(
  McpServer.prompt({
    name: "test_simple_prompt",
    description: "A simple prompt",
    content: () => Effect.succeed("This is a simple prompt for testing.")
  }),
  McpServer.prompt({
    name: "test_prompt_with_arguments",
    description: "A prompt with arguments",
    parameters: { arg1: Schema.String, arg2: Schema.String },
    completion: { arg1: () => Effect.succeed(["paris", "park", "party"]) },
    content: ({ arg1, arg2 }) => Effect.succeed(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)
  }),
  McpServer.prompt({
    name: "test_prompt_with_embedded_resource",
    description: "A prompt with a resource",
    parameters: { resourceUri: Schema.String },
    content: ({ resourceUri }) =>
      Effect.succeed([
        user(resource(resourceUri, "text/plain", "Embedded resource content for testing.")),
        user(McpSchema.TextContent.make({ text: "Please process the embedded resource above." }))
      ])
  }),
  McpServer.prompt({
    name: "test_prompt_with_image",
    description: "A prompt with an image",
    content: () =>
      Effect.succeed([user(image), user(McpSchema.TextContent.make({ text: "Please analyze the image above." }))])
  }),
  Layer.effectDiscard(
    Effect.flatMap(McpServer.McpServer, (server) =>
      server.addPrompt({
        prompt: new McpSchema.Prompt({ name: "test_input_required_result_prompt", description: "Asks", arguments: [] }),
        annotations: Context.empty(),
        completions: {},
        handle: () =>
          Effect.map(McpSchema.McpRequestContext, ({ inputResponses }) =>
            inputResponses?.user_context === undefined
              ? new McpSchema.InputRequired({
                  inputRequests: {
                    user_context: elicitation("What context should the prompt use?", { context: { type: "string" } })
                  }
                })
              : new McpSchema.GetPromptResult({
                  messages: [user(McpSchema.TextContent.make({ text: JSON.stringify(inputResponses.user_context) }))]
                })
          )
      })
    )
  )
)

const resources = Layer.mergeAll(
  McpServer.resource({
    uri: "test://static-text",
    name: "static-text",
    description: "A text",
    mimeType: "text/plain",
    content: Effect.succeed({
      contents: [
        {
          uri: "test://static-text",
          mimeType: "text/plain",
          text: "This is the content of the static text resource."
        }
      ]
    })
  }),
  McpServer.resource({
    uri: "test://static-binary",
    name: "static-binary",
    description: "An image",
    mimeType: "image/png",
    content: Effect.succeed({
      contents: [{ uri: "test://static-binary", mimeType: "image/png", blob: bytes(png) }]
    })
  }),
  McpServer.resource({
    uri: "test://watched-resource",
    name: "watched-resource",
    description: "A text that changes",
    mimeType: "text/plain",
    content: Effect.succeed("watched")
  }),
  McpServer.resource`test://template/${McpSchema.param("id", Schema.String)}/data`({
    name: "template",
    description: "A template",
    mimeType: "application/json",
    content: (uri, id) =>
      Effect.succeed({
        contents: [
          {
            uri,
            mimeType: "application/json",
            text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` })
          }
        ]
      })
  })
)

export const registrations = Layer.mergeAll(tools, prompts, resources)
