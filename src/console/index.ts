export * as ConsoleInput from "./ConsoleInput.ts"
export * as ConsoleOutput from "./ConsoleOutput.ts"
export * as LineEditor from "./LineEditor.ts"
export * as LineInput from "./LineInput.ts"
