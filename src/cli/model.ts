/** The model that the flags and the environment choose. */
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as LlmLogger from "../llm/model/LlmLogger.ts"
import * as ModelChoice from "../models/ModelChoice.ts"
import type { Settings } from "./command.ts"
import { misuse, Refusal, refuse } from "./refusal.ts"

const nothing =
  "No model is configured: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or OPENAI_BASE_URL for a server of your own, as http://localhost:11434/v1 for Ollama"

export const choose = ({ model, provider }: Settings): Effect.Effect<ModelChoice.Choice, Refusal> =>
  ModelChoice.choose({ model: Option.getOrUndefined(model), provider: Option.getOrUndefined(provider) }).pipe(
    Effect.mapError(refuse(misuse)),
    Effect.flatMap(
      Option.match({
        onNone: () => Effect.fail(new Refusal({ message: nothing, status: misuse })),
        onSome: Effect.succeed
      })
    )
  )

/** The model, with a log of what it is asked if there is to be one. */
export const layer = (
  choice: ModelChoice.Choice,
  { log }: Settings
): Layer.Layer<LanguageModel.LanguageModel, Refusal, FileSystem.FileSystem> =>
  Layer.catch(ModelChoice.layer(choice), (error) => Layer.effectContext(Effect.fail(refuse(misuse)(error)))).pipe(
    Layer.merge(log ? LlmLogger.layer() : Layer.empty)
  )
