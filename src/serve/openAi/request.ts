/** What a client of OpenAI's APIs asks for, decoded before anything runs. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type * as ClientTools from "../../llm/agents/ClientTools.ts"
import * as LlmMessage from "../../llm/agents/LlmMessage.ts"
import * as Message from "../../Message.ts"

/** What is wrong with a request: the place in its body, a sentence, and a code for programs. */
export interface Problem {
  readonly param: string
  readonly message: string
  readonly code: string
}

type Decoded<A> = Effect.Effect<A, Problem>
type Json = Schema.Json | undefined
type Object = Schema.JsonObject

/** The messages of a request for a chat completion. */
export const chatMessages = (json: Json, instructions: boolean): Decoded<ReadonlyArray<Message.Message>> =>
  Effect.gen(function* () {
    const decoder = new Decoder(instructions)
    const all = yield* list(json, "messages")
    return (yield* Effect.forEach(all, (item, i) => decoder.chat(item, `messages[${i}]`))).flat()
  })

/** The input of a request for a response, which is a text or items. */
export const responseInput = (
  input: Json,
  given: Json,
  instructions: boolean
): Decoded<ReadonlyArray<Message.Message>> =>
  Effect.gen(function* () {
    const decoder = new Decoder(instructions)
    const first = isGiven(given) ? [yield* decoder.instruction(yield* text(given, "instructions"), "instructions")] : []
    if (typeof input === "string") return [...first, Message.user(input)]
    const all = yield* list(input, "input")
    return [...first, ...(yield* Effect.forEach(all, (item, i) => decoder.item(item, `input[${i}]`))).flat()]
  })

/** The tools of the client; in chat completions the function stands in a field of its own. */
export const clientTools = (json: Json): Decoded<ReadonlyArray<ClientTools.ClientTool>> =>
  Effect.gen(function* () {
    const all = isGiven(json) ? yield* list(json, "tools") : []
    return yield* Effect.forEach(all, (item, i) =>
      Effect.gen(function* () {
        const param = `tools[${i}]`
        const tool = yield* object(item, param)
        if (tool.type !== "function") {
          return yield* unsupported(`${param}.type`, "a tool that is no function cannot be run here")
        }
        const { description, name, parameters } = isGiven(tool.function)
          ? yield* object(tool.function, `${param}.function`)
          : tool
        if (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name)) {
          return yield* invalid(`${param}.name`, "the name of a tool has 1 to 64 letters, digits, `_` and `-`")
        }
        return {
          name,
          ...(typeof description === "string" ? { description } : {}),
          parameters: isGiven(parameters)
            ? yield* object(parameters, `${param}.parameters`)
            : { type: "object", properties: {} }
        }
      })
    )
  })

/** The parameters of an agent that a request sets: those of their own names, and those that the APIs name otherwise. */
export const parameters = (body: Object, allowed: ReadonlyArray<string>): Object => {
  const found: Record<string, Schema.Json> = {}
  for (const name of allowed) {
    const value = (spellings[name] ?? snakeCase(name))(body)
    if (isGiven(value)) found[name] = value
  }
  return found
}

/** What changes the form of an answer, and cannot be had. */
export const refuseForms = (body: Object, allowed: ReadonlyArray<string>): Decoded<void> =>
  Effect.gen(function* () {
    if (isGiven(body.n) && body.n !== 1) return yield* unsupported("n", "an agent gives one answer")
    if (Array.isArray(body.modalities) && body.modalities.some((each) => each !== "text")) {
      return yield* unsupported("modalities", "an agent answers with text")
    }
    for (const name of ["previous_response_id", "conversation", "prompt", "functions", "function_call"]) {
      if (isGiven(body[name])) return yield* unsupported(name, hints[name] ?? "it is not known here")
    }
    const format = responseFormat(body)
    if (isGiven(format) && !allowed.includes("responseFormat")) {
      const param = isGiven(body.response_format) ? "response_format" : "text.format"
      return yield* unsupported(param, "the agent chooses the form of its answer")
    }
    const choice = body.tool_choice
    if (isGiven(choice) && choice !== "auto" && choice !== "none" && !allowed.includes("toolChoice")) {
      return yield* unsupported("tool_choice", "only `auto` and `none` can be chosen")
    }
  })

const hints: { readonly [name: string]: string } = {
  previous_response_id: "send the whole conversation",
  conversation: "send the whole conversation",
  functions: "send `tools`",
  function_call: "send `tool_choice`"
}

/** Keeps the names of the calls of a conversation, which their results do not say. */
class Decoder {
  private readonly names = new Map<string, string>()
  private readonly instructions: boolean

  constructor(instructions: boolean) {
    this.instructions = instructions
  }

  chat(json: Schema.Json, param: string): Decoded<ReadonlyArray<Message.Message>> {
    return Effect.gen({ self: this }, function* () {
      const message = yield* object(json, param)
      const { content, role } = message
      const said = () => contentText(content, `${param}.content`)
      switch (role) {
        case "system":
        case "developer":
          return [yield* this.instruction(yield* said(), `${param}.role`)]
        case "user":
          return [yield* userMessage(content, `${param}.content`, metadataOf(message))]
        case "tool": {
          const id = yield* text(message.tool_call_id, `${param}.tool_call_id`)
          return [yield* this.result(id, yield* said(), `${param}.tool_call_id`)]
        }
        case "assistant": {
          const spoken = isGiven(content) ? yield* said() : ""
          const asked = isGiven(message.tool_calls) ? yield* list(message.tool_calls, `${param}.tool_calls`) : []
          const calls = yield* Effect.forEach(asked, (call, i) => this.chatCall(call, `${param}.tool_calls[${i}]`))
          return spoken === "" ? calls : [Message.assistant(spoken), ...calls]
        }
        default:
          return yield* invalid(`${param}.role`, "a message is of the role `user`, `assistant`, `system` or `tool`")
      }
    })
  }

  item(json: Schema.Json, param: string): Decoded<ReadonlyArray<Message.Message>> {
    return Effect.gen({ self: this }, function* () {
      const item = yield* object(json, param)
      switch (item.type ?? "message") {
        case "message":
          return yield* this.chat(item, param)
        case "function_call": {
          const id = yield* text(item.call_id, `${param}.call_id`)
          return [this.call(id, yield* text(item.name, `${param}.name`), item.arguments)]
        }
        case "function_call_output": {
          const id = yield* text(item.call_id, `${param}.call_id`)
          const output = yield* contentText(item.output, `${param}.output`)
          return [yield* this.result(id, output, `${param}.call_id`)]
        }
        case "reasoning":
          return [] // what an agent thought is its own
        default:
          return yield* unsupported(`${param}.type`, "an item is a message, a function call, or the output of one")
      }
    })
  }

  instruction(content: string, param: string): Decoded<Message.Message> {
    if (this.instructions) return Effect.succeed(Message.system(content))
    return unsupported(param, "this agent takes no instructions from outside")
  }

  private chatCall(json: Schema.Json, param: string): Decoded<Message.Message> {
    return Effect.gen({ self: this }, function* () {
      const call = yield* object(json, param)
      const asked = yield* object(call.function ?? null, `${param}.function`)
      const name = yield* text(asked.name, `${param}.function.name`)
      return this.call(yield* text(call.id, `${param}.id`), name, asked.arguments)
    })
  }

  private call(id: string, name: string, given: Json): Message.Message {
    this.names.set(id, name)
    return new LlmMessage.ToolCall({ id, name, parameters: parsed(given), clientExecuted: true })
  }

  private result(id: string, result: string, param: string): Decoded<Message.Message> {
    const name = this.names.get(id)
    if (name === undefined) return invalid(param, "it is the result of a call that was not made")
    return Effect.succeed(new LlmMessage.ToolResult({ id, name, result, isFailure: false }))
  }
}

/** What a person said: a text, or texts and files. */
const userMessage = (json: Json, param: string, metadata: Message.Metadata | undefined): Decoded<Message.Message> =>
  Effect.gen(function* () {
    if (!Array.isArray(json) || !json.some((part) => isObject(part) && fileParts.has(String(part.type)))) {
      return Message.user(yield* contentText(json, param), metadata)
    }
    const parts = yield* Effect.forEach(json as ReadonlyArray<Schema.Json>, (part, i): Decoded<string | Message.File> =>
      isObject(part) && fileParts.has(String(part.type)) ? filePart(part, `${param}[${i}]`) : contentText([part], param)
    )
    return Message.user(parts, metadata)
  })

const fileParts: ReadonlySet<string> = new Set(["image_url", "input_image", "file", "input_file", "input_audio"])

/** A file by its content or its address; both APIs spell it in their own way. */
const filePart = (part: Object, param: string): Decoded<Message.File> => {
  const inside = part[String(part.type)]
  const { data, detail, file_data, file_url, filename, format, image_url, url } = isObject(inside) ? inside : part
  const audio = typeof data === "string" ? `data:audio/${format === "mp3" ? "mpeg" : "wav"};base64,${data}` : undefined
  const source = [url, image_url, file_data, file_url, audio].find((each) => typeof each === "string")
  // an id names a file that nobody here has, and any other address is not for those who are to read it
  if (source === undefined || !/^(data:[^,]*;base64,|https?:\/\/)/i.test(source)) {
    return unsupported(param, "a file is sent as a data URL in base64, or by its `https` address")
  }
  const make = /image/.test(String(part.type)) ? Message.image : Message.file
  const options = {
    ...(typeof filename === "string" ? { fileName: filename } : {}),
    ...(typeof detail === "string" ? { options: { openai: { detail } } } : {})
  }
  return Effect.catch(
    Effect.try(() => make(source, options)),
    () => invalid(param, "it is no file that can be read")
  )
}

/** The text of a content: a string, or parts that are text. */
const contentText = (json: Json, param: string): Decoded<string> =>
  Effect.gen(function* () {
    if (typeof json === "string") return json
    const parts = yield* Effect.forEach(yield* list(json, param), (item, i) =>
      Effect.gen(function* () {
        const place = `${param}[${i}]`
        const part = yield* object(item, place)
        if (typeof part.type === "string" && textParts.has(part.type)) return yield* text(part.text, `${place}.text`)
        if (part.type === "refusal") return yield* text(part.refusal, `${place}.refusal`)
        return yield* unsupported(`${place}.type`, `a part \`${String(part.type)}\` cannot be sent: send text`)
      })
    )
    return parts.join("")
  })

const textParts: ReadonlySet<string> = new Set(["text", "input_text", "output_text"])

const parsed = (given: Json): Schema.Json => {
  if (typeof given !== "string" || given === "") return given || {}
  return Result.getOrElse(
    Result.try(() => JSON.parse(given) as Schema.Json),
    () => given // as a model gave it
  )
}

const metadataOf = ({ name }: Object): Message.Metadata | undefined => (typeof name === "string" ? { name } : undefined)

const spellings: { readonly [name: string]: (body: Object) => Json } = {
  maxTokens: (body) => body.max_completion_tokens ?? body.max_output_tokens ?? body.max_tokens,
  stop: ({ stop }) => (typeof stop === "string" ? [stop] : stop),
  responseFormat: (body) => responseFormat(body),
  toolChoice: ({ tool_choice: choice }) => {
    if (!isObject(choice)) return choice
    const { name } = isObject(choice.function) ? choice.function : choice
    return choice.type === "function" && name !== undefined ? { tool: name } : choice
  }
}

/** `topP` is `top_p` there. */
const snakeCase = (name: string) => {
  const spelled = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return (body: Object): Json => body[name] ?? body[spelled]
}

/** The form of the answer, unless it is text. */
const responseFormat = (body: Object): Json => {
  const format = body.response_format ?? (isObject(body.text) ? body.text.format : undefined)
  if (!isObject(format) || format.type === "text") return undefined
  const { name, schema } = isObject(format.json_schema) ? format.json_schema : format
  return {
    type: "json",
    ...(schema === undefined ? {} : { schema }),
    ...(name === undefined ? {} : { objectName: name })
  }
}

/** Clients spell what they do not set as `null`. */
const isGiven = <A extends Json>(json: A): json is Exclude<A, undefined | null> => json !== undefined && json !== null

const isObject = (json: Json): json is Object => Predicate.isObject(json) && !Array.isArray(json)

const object = (json: Json, param: string): Decoded<Object> =>
  isObject(json) ? Effect.succeed(json) : invalid(param, "it must be an object")

const list = (json: Json, param: string): Decoded<ReadonlyArray<Schema.Json>> =>
  Array.isArray(json) ? Effect.succeed(json as ReadonlyArray<Schema.Json>) : invalid(param, "it must be an array")

const text = (json: Json, param: string): Decoded<string> =>
  typeof json === "string" ? Effect.succeed(json) : invalid(param, "it must be a string")

const problem = (code: string) => (param: string, sentence: string) =>
  Effect.fail<Problem>({ param, message: `\`${param}\`: ${sentence}`, code })

const invalid = problem("invalid_value")
const unsupported = problem("unsupported_value")
