/**
 * An agent is shown a picture and draws one. Pictures are messages, or parts of them: by their bytes, a data URL or an
 * address. The model here is a scripted one that draws a red dot; `OpenAi.model("gpt-5.2", { api: "responses", tools:
 * [{ type: "image_generation" }] })` in its place draws what it is asked for.
 *
 * Run: node --conditions=miniagents-source examples/models/images.ts
 *
 * Prints:
 *   the model was shown: What is on it? + dot.png (image/png)
 *   Assistant: A red dot. Here is a better one:
 *   Assistant: 70 bytes of image/png
 *   both are the same file: true
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Message, MiniAgents } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="

const painter = LlmAgent.make("Painter", { system: "You see and draw." })

const model = ScriptedModel.layer([
  ScriptedModel.turn(ScriptedModel.text("A red dot. Here is a better one:"), ScriptedModel.file("image/png", dot))
])

export const program = Effect.gen(function* () {
  const picture = Message.image(`data:image/png;base64,${dot}`, { fileName: "dot.png" })
  const replies = yield* painter.trigger(Message.user(["What is on it?", picture]))
  const messages = yield* replies.messages

  const [request] = yield* Effect.flatMap(ScriptedModel.ScriptedModel, (script) => script.requests)
  const shown = request?.prompt.content.at(-1)?.content
  const parts = typeof shown === "string" ? [shown] : (shown ?? []).map(nameOf)
  yield* Console.log(`the model was shown: ${parts.join(" + ")}`)

  for (const message of messages) yield* Console.log(`${message._tag}: ${brief(message)}`)
  const drawn = messages.flatMap(filesOf)
  yield* Console.log(`both are the same file: ${drawn[0]?.href === picture.href}`)
}).pipe(Effect.orDie, Effect.provide([MiniAgents.layer(), model]))

const nameOf = (part: { readonly type: string }) =>
  "text" in part
    ? String(part.text)
    : "fileName" in part && "mediaType" in part
      ? `${part.fileName} (${part.mediaType})`
      : part.type

const filesOf = (message: Message.Message) =>
  message instanceof Message.Assistant ? (message.parts ?? []).filter((part) => part instanceof Message.File) : []

const brief = (message: Message.Message) => {
  const [file] = filesOf(message)
  return file === undefined ? String(message) : `${file.bytes?.length} bytes of ${file.mediaType}`
}

if (import.meta.main) NodeRuntime.runMain(program)
