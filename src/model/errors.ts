/**
 * The gateway's error codes: HTTP status, and the JSON-RPC code where a JSON-RPC answer is due. Codes of our own lie outside
 * −32768…−32000, which JSON-RPC and MCP reserve; −32020 to −32022 are MCP's, with the meaning that MCP gives them.
 */
export const errorTable = {
  'json.invalid': { http: 400, rpc: -32700 },
  'json.duplicate_key': { http: 400, rpc: -32700 },
  'json.too_deep': { http: 400, rpc: -32700 },
  'json.forbidden_key': { http: 400, rpc: -32700 },
  'body.too_large': { http: 413, rpc: -32600 },
  'body.timeout': { http: 408, rpc: -32600 },
  'body.media_type': { http: 415, rpc: -32600 },
  'http.not_acceptable': { http: 406, rpc: -32600 },
  'http.header_mismatch': { http: 400, rpc: -32020 },
  'http.host': { http: 403, rpc: -32600 },
  'http.origin': { http: 403, rpc: -32600 },
  'http.method': { http: 405, rpc: -32600 },
  'rpc.invalid': { http: 400, rpc: -32600 },
  'rpc.batch': { http: 400, rpc: -32600 },
  'rpc.method_unknown': { http: 200, rpc: -32601 },
  'rpc.params': { http: 200, rpc: -32602 },
  'protocol.version': { http: 400, rpc: -32600 },
  'protocol.unsupported': { http: 400, rpc: -32022 },
  'protocol.meta': { http: 400, rpc: -32602 },
  'client.capability': { http: 400, rpc: -32021 },
  'state.invalid': { http: 200, rpc: -32602 },
  'session.required': { http: 400, rpc: -32600 },
  'session.unknown': { http: 404, rpc: -32600 },
  'session.stream_taken': { http: 409, rpc: -32600 },
  'session.limit': { http: 503, rpc: -32600 },
  'auth.required': { http: 401, rpc: 4010 },
  'auth.invalid_token': { http: 401, rpc: 4010 },
  'auth.insufficient_scope': { http: 403, rpc: 4031 },
  'auth.issuer_down': { http: 503, rpc: 5031 },
  'admin.forbidden': { http: 403, rpc: 4032 },
  'endpoint.unknown': { http: 404, rpc: -32600 },
  'target.unknown': { http: 200, rpc: -32602 },
  'target.changed': { http: 200, rpc: 4091 },
  'resource.unknown': { http: 200, rpc: -32002 },
  'policy.denied': { http: 200, rpc: 4030 },
  'policy.fault': { http: 200, rpc: 4033 },
  'policy.withheld': { http: 200, rpc: 4034 },
  'approval.required': { http: 200, rpc: 4035 },
  'approval.unknown': { http: 404, rpc: 4040 },
  'approval.conflict': { http: 409, rpc: 4090 },
  'audit.unavailable': { http: 503, rpc: 5030 },
  'store.unavailable': { http: 503, rpc: 5032 },
  'upstream.unreachable': { http: 200, rpc: 5020 },
  'upstream.protocol': { http: 200, rpc: 5021 },
  'upstream.too_large': { http: 200, rpc: 5022 },
  'upstream.timeout': { http: 200, rpc: 5040 },
  'upstream.credential': { http: 200, rpc: 5023 },
  'message.unplaced': { http: 200, rpc: -32600 },
  'call.cancelled': { http: 200, rpc: 4990 },
  'gateway.stopping': { http: 503, rpc: 5033 },
  'gateway.overloaded': { http: 503, rpc: 5034 },
  'gateway.internal': { http: 500, rpc: -32603 },
  'config.invalid': { http: 500, rpc: -32603 },
  'policy.invalid': { http: 500, rpc: -32603 },
  'request.invalid': { http: 400, rpc: -32600 },
  not_found: { http: 404, rpc: -32601 },
} as const;

export type ErrorCode = keyof typeof errorTable;

/** A refusal or a fault with a stable code. The message may go to a client; the cause never does. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  /** Extra facts for the client, already safe to show. */
  readonly detail: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; detail?: Readonly<Record<string, unknown>> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GatewayError';
    this.code = code;
    this.detail = options.detail;
  }

  get httpStatus(): number {
    return errorTable[this.code].http;
  }

  get rpcCode(): number {
    return errorTable[this.code].rpc;
  }
}

/** Any thrown value as a {@link GatewayError}; what is not one becomes `gateway.internal` with nothing of its text shown. */
export function asGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError('gateway.internal', 'the gateway failed on this request; its log has the cause under the call id', {
    cause: thrown,
  });
}
