/** A zero-latency model for the libraries that speak the AI SDK's `LanguageModelV3` or V4, which stream the same parts. */
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 }
}

async function* parts(source: () => AsyncIterable<string>) {
  yield { type: "stream-start" as const, warnings: [] }
  yield { type: "text-start" as const, id: "1" }
  for await (const delta of source()) yield { type: "text-delta" as const, id: "1", delta }
  yield { type: "text-end" as const, id: "1" }
  yield { type: "finish" as const, finishReason: { unified: "stop" as const, raw: "stop" }, usage }
}

export const make = <const Version extends "v3" | "v4">(source: () => AsyncIterable<string>, version: Version) => ({
  specificationVersion: version,
  provider: "bench",
  modelId: "bench",
  supportedUrls: {},
  doGenerate: (): Promise<never> => Promise.reject(new Error("the bench only streams")),
  doStream: () => Promise.resolve({ stream: ReadableStream.from(parts(source)) })
})
