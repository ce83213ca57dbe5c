/** What goes wrong in A2A, as JSON-RPC and as REST spell it. */
import type * as Schema from "effect/Schema"

/** An error of the protocol: its name there, and a sentence. */
export class A2aError {
  readonly name: keyof typeof table
  readonly message: string
  /** The field that is wrong, where one is. */
  readonly field: string | undefined

  constructor(name: keyof typeof table, message: string, field?: string) {
    this.name = name
    this.message = message
    this.field = field
  }

  /** The code of JSON-RPC. */
  get code(): number {
    return table[this.name][0]
  }

  /** The status of HTTP. */
  get status(): number {
    return table[this.name][1]
  }

  get toRpc(): Schema.JsonObject {
    const { code, details: data, message } = this
    return data.length === 0 ? { code, message } : { code, message, data }
  }

  get toRest(): Schema.JsonObject {
    const { details, message, name, status } = this
    return { error: { code: status, status: table[name][2], message, details } }
  }

  private get details(): ReadonlyArray<Schema.Json> {
    const { field, message, name } = this
    if (field !== undefined) {
      const fieldViolations = [{ field, description: message }]
      return [{ "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations }]
    }
    if (this.code > -32000 || this.code < -32099) return []
    return [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: name, domain: "a2a-protocol.org" }]
  }
}

const table = {
  TASK_NOT_FOUND: [-32001, 404, "NOT_FOUND"],
  TASK_NOT_CANCELABLE: [-32002, 400, "FAILED_PRECONDITION"],
  PUSH_NOTIFICATION_NOT_SUPPORTED: [-32003, 400, "FAILED_PRECONDITION"],
  UNSUPPORTED_OPERATION: [-32004, 400, "FAILED_PRECONDITION"],
  CONTENT_TYPE_NOT_SUPPORTED: [-32005, 400, "INVALID_ARGUMENT"],
  VERSION_NOT_SUPPORTED: [-32009, 400, "FAILED_PRECONDITION"],
  PARSE_ERROR: [-32700, 400, "INVALID_ARGUMENT"],
  INVALID_REQUEST: [-32600, 400, "INVALID_ARGUMENT"],
  METHOD_NOT_FOUND: [-32601, 404, "NOT_FOUND"],
  INVALID_PARAMS: [-32602, 400, "INVALID_ARGUMENT"],
  INTERNAL: [-32603, 500, "INTERNAL"],
  TOO_MANY: [-32603, 429, "RESOURCE_EXHAUSTED"]
} as const
