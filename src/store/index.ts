export * as Conversation from "./Conversation.ts"
export * as Store from "./Store.ts"
