import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Arrival } from '../call/call.ts';
import type { Pipeline } from '../call/pipeline.ts';
import type { GatewayError } from '../model/errors.ts';
import type { Identity } from '../model/identity.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Awaitable } from '../model/ports.ts';
import type { RequestTracer } from './mcp-trace.ts';
import type { LiveSession, SessionBook } from './session-book.ts';

/** What the MCP transport needs from other rooms. */
export interface McpEndpointPorts {
  readonly pipeline: Pipeline;
  readonly sessions: SessionBook;
  /** @throws GatewayError `auth.*` */
  readonly authenticate: (request: { readonly authorization: string | undefined; readonly endpoint: string }) => Awaitable<Identity>;
  /** The `WWW-Authenticate` value for a refusal at an endpoint. */
  readonly challenge: (error: GatewayError, endpoint: string) => string | undefined;
  readonly hasEndpoint: (name: string) => boolean;
  readonly parse: (bytes: Uint8Array) => Json;
  readonly limits: () => { readonly bodyBytes: number };
  readonly tenant: () => string;
  /** Tells the upstreams of a session that its agent listens now, or stopped. */
  readonly listen: (live: LiveSession, active: boolean) => void;
  readonly stage: (name: 'receive' | 'authenticate' | 'reply', elapsedMs: number) => void;
  /** Where traces are configured. */
  readonly tracer?: RequestTracer | undefined;
  readonly now: () => number;
}

/** One HTTP request of somebody who is known. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly endpoint: string;
  readonly identity: Identity;
  readonly arrival: Arrival & { bytes: number };
}

/** How long a call may be silent before its answer becomes a stream that can be kept alive. */
export const quietMs = 15_000;

/** Sends one JSON-RPC message, as JSON or, where the client prefers that, as a stream of one event. */
export function sendJson(
  response: ServerResponse,
  status: number,
  text: string,
  plain: boolean,
  headers: Record<string, string> = {},
  retryMs?: number,
): void {
  if (response.destroyed) return;
  if (plain || status !== 200) {
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      ...headers,
    });
    response.end(text);
  } else {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', ...headers });
    response.end(`${retryMs === undefined ? '' : `retry: ${retryMs}\n`}event: message\ndata: ${text}\n\n`);
  }
}

/** What an `accept` header allows. */
export interface Acceptable {
  readonly json: boolean;
  readonly stream: boolean;
  /** The client names event streams before JSON: what it prefers, where both would do. */
  readonly streamFirst: boolean;
}

const usual: Acceptable = { json: true, stream: true, streamFirst: false };

/** What the client takes. */
export function accepts(request: IncomingMessage): Acceptable {
  const accept = request.headers.accept;
  if (accept === 'application/json, text/event-stream') return usual;
  if (accept === undefined) return { json: true, stream: false, streamFirst: false };
  const any = accept.includes('*/*');
  return {
    json: any || accept.includes('application/json') || accept.includes('application/*'),
    stream: any || accept.includes('text/event-stream') || accept.includes('text/*'),
    streamFirst: accept.startsWith('text/event-stream'),
  };
}

/** What is known of a request while it is read. */
export type OpenArrival = Omit<Arrival, 'bytes' | 'traceId'> & { bytes: number; traceId: string | undefined };

/** What the transport knows about a request before its body is read. */
export function arrivalOf(request: IncomingMessage, nowMs: number): OpenArrival {
  const parent = header(request, 'traceparent');
  const trace = parent === undefined ? null : /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(parent);
  return {
    receivedAtMs: nowMs,
    ip: request.socket.remoteAddress ?? '',
    userAgent: (request.headers['user-agent'] ?? '').slice(0, 200),
    traceId: trace?.[1],
    bytes: 0,
  };
}

/** A header's value; the first where it came more than once. */
export function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The value where it is an object, else an empty one. */
export function objectOr(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
