import type { Request, Response } from 'express';
import type { AgentChannel, Answer, Arrival } from '../call/call.ts';
import { sessionVersions } from '../call/methods.ts';
import type { Incoming, Pipeline } from '../call/pipeline.ts';
import { readMessage, type RpcMessage, type RpcRequest } from '../call/rpc.ts';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import type { Identity } from '../model/identity.ts';
import { identityKey } from '../model/identity.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Awaitable } from '../model/ports.ts';
import { isJson, readBody } from './body.ts';
import { parseEventId, type EventStream } from './event-stream.ts';
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
  readonly now: () => number;
}

/** How long a call may be silent before its answer becomes a stream that can be kept alive. */
const quietMs = 15_000;

/**
 * Streamable HTTP toward agents, 2025-03-26 to 2025-11-25: sessions, JSON and SSE answers, resumption, DELETE.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
 */
export function mcpEndpoint(ports: McpEndpointPorts): (request: Request, response: Response) => Promise<void> {
  return async (request, response) => {
    const endpoint = String(request.params['endpoint']);
    const arrival = arrivalOf(request, ports.now());
    let identity: Identity | undefined;
    let message: RpcMessage | undefined;
    try {
      if (!ports.hasEndpoint(endpoint)) throw new GatewayError('endpoint.unknown', `there is no endpoint \`${endpoint.slice(0, 60)}\``);
      const startedMs = performance.now();
      const found = ports.authenticate({ authorization: request.headers.authorization, endpoint });
      identity = found instanceof Promise ? await found : found;
      ports.stage('authenticate', performance.now() - startedMs);
      if (request.method === 'POST') {
        message = await receive(ports, request, arrival);
        await post(ports, { request, response, endpoint, identity, arrival }, message);
      } else if (request.method === 'GET') get(ports, { request, response, endpoint, identity, arrival });
      else if (request.method === 'DELETE') {
        ports.sessions.end(find(ports, { request, endpoint, identity }), ports.now());
        response.writeHead(204).end();
      } else throw new GatewayError('http.method', `\`${request.method}\` is not used here; use POST, GET or DELETE`);
    } catch (thrown) {
      refuse(ports, { request, response, endpoint, identity, arrival }, asGatewayError(thrown), message);
    }
  };
}

interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly endpoint: string;
  readonly identity: Identity;
  readonly arrival: Arrival & { bytes: number };
}

async function receive(ports: McpEndpointPorts, request: Request, arrival: { bytes: number }): Promise<RpcMessage> {
  if (!isJson(request)) throw new GatewayError('body.media_type', 'the body must be `application/json` in UTF-8');
  const { json, stream } = accepts(request);
  if (!json && !stream) throw new GatewayError('http.not_acceptable', 'accept `application/json` and `text/event-stream`');
  const body = await readBody(request, ports.limits().bodyBytes);
  const startedMs = performance.now();
  arrival.bytes = body.length;
  const message = readMessage(ports.parse(body));
  ports.stage('receive', performance.now() - startedMs);
  return message;
}

async function post(ports: McpEndpointPorts, exchange: Exchange, message: RpcMessage): Promise<void> {
  const { request, response, identity, arrival } = exchange;
  refuseOtherEra(request, message);
  if (message.kind === 'request' && message.method === 'initialize') return initialize(ports, exchange, message);
  const live = find(ports, exchange);
  const { session } = live;
  if (message.kind === 'response') {
    ports.pipeline.response({ session, identity, arrival, message });
    response.writeHead(202).end();
  } else if (message.kind === 'notification') {
    await ports.pipeline.notification({ session, identity, arrival, message });
    response.writeHead(202).end();
  } else await answer(ports, exchange, live, message);
}

function find(ports: McpEndpointPorts, { request, endpoint, identity }: Pick<Exchange, 'request' | 'endpoint' | 'identity'>): LiveSession {
  checkVersion(request);
  return ports.sessions.find(header(request, 'mcp-session-id'), identity, endpoint, ports.now());
}

/**
 * The header should name the version that was agreed on, and what is not served is refused. Another one that sessions speak is let pass: clients
 * send it, and nothing is read by it; the session's own version holds.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#protocol-version-header
 */
function checkVersion(request: Request): void {
  const version = header(request, 'mcp-protocol-version');
  if (version === undefined || sessionVersions.some((known) => known === version)) return;
  throw new GatewayError('protocol.version', `\`${version.slice(0, 20)}\` is not served here; ${versionWords}`);
}

const versionWords = `open a session with \`initialize\` and one of ${sessionVersions.map((version) => `\`${version}\``).join(', ')}`;
const modernVersionKey = 'io.modelcontextprotocol/protocolVersion';

/**
 * A message of an era without sessions, or one that could be read as of either, is refused before anything is looked up: its sender goes by
 * the answer to open a session. The code is none that 2026-07-28 knows, which would mean that this server speaks it.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning
 */
function refuseOtherEra(request: Request, message: RpcMessage): void {
  checkVersion(request);
  const meta = message.kind === 'response' ? undefined : message.params?.['_meta'];
  if (isJsonObject(meta) && Object.hasOwn(meta, modernVersionKey))
    throw new GatewayError('protocol.version', `messages that carry \`${modernVersionKey}\` are not served here; ${versionWords}`);
}

async function answer(ports: McpEndpointPorts, exchange: Exchange, live: LiveSession, message: RpcRequest): Promise<void> {
  const { request, response, identity, arrival } = exchange;
  const { session } = live;
  let stream: EventStream | undefined;
  const open = (): EventStream | undefined => {
    if (stream === undefined && accepts(request).stream && !response.headersSent && !response.destroyed) {
      stream = ports.sessions.stream(live, false);
      stream.attach(response, {});
    }
    return stream;
  };
  const channel: AgentChannel = { send: (body) => open()?.send(body) ?? false };
  const quiet = setTimeout(open, quietMs);
  let reply: Answer;
  try {
    reply = await ports.pipeline.request({ session, identity, arrival, message } satisfies Incoming<RpcRequest>, channel);
  } finally {
    clearTimeout(quiet);
  }
  const startedMs = performance.now();
  const text = JSON.stringify({ jsonrpc: '2.0', id: message.id, ...reply });
  if (stream !== undefined) stream.finish(text, ports.now());
  else sendJson(response, 200, text, accepts(request).json && !accepts(request).streamFirst);
  ports.stage('reply', performance.now() - startedMs);
}

async function initialize(ports: McpEndpointPorts, exchange: Exchange, message: RpcRequest): Promise<void> {
  const { request, response, endpoint, identity, arrival } = exchange;
  if (header(request, 'mcp-session-id') !== undefined)
    throw new GatewayError('rpc.invalid', '`initialize` opens a session; send it without `mcp-session-id`');
  ports.sessions.assertRoom(identityKey(identity));
  const params = message.params ?? {};
  const asked = params['protocolVersion'];
  if (typeof asked !== 'string') throw new GatewayError('rpc.params', '`params.protocolVersion` is missing');
  const live = ports.sessions.make({
    endpoint,
    identity,
    protocolVersion: sessionVersions.find((version) => version === asked) ?? sessionVersions[0],
    clientInfo: objectOr(params['clientInfo']),
    capabilities: objectOr(params['capabilities']),
    startedAtMs: ports.now(),
  });
  const reply = await ports.pipeline.request({ session: live.session, identity, arrival, message }, { send: () => false });
  const headers: Record<string, string> = {};
  if ('result' in reply) {
    ports.sessions.keep(live);
    headers['mcp-session-id'] = live.session.id;
  }
  sendJson(response, 200, JSON.stringify({ jsonrpc: '2.0', id: message.id, ...reply }), accepts(request).json, headers);
}

/** Opens the stream that belongs to no call, or resumes a stream after the event that the agent saw last. */
function get(ports: McpEndpointPorts, exchange: Exchange): void {
  const { request, response } = exchange;
  if (!accepts(request).stream) throw new GatewayError('http.not_acceptable', 'a GET opens an event stream; accept `text/event-stream`');
  const live = find(ports, exchange);
  const lastEventId = header(request, 'last-event-id');
  if (lastEventId !== undefined) {
    const seen = parseEventId(lastEventId);
    const stream = seen === undefined ? undefined : live.streams.get(seen.stream);
    if (seen === undefined || stream?.canResume(seen.number) !== true)
      throw new GatewayError('request.invalid', 'what follows this `last-event-id` is not kept any more; repeat the request');
    stream.attach(response, {}, seen.number);
    if (stream === live.session.standalone) listenWhile(ports, live, stream, response);
    return;
  }
  const open = live.session.standalone as EventStream | undefined;
  if (open?.attached === true) throw new GatewayError('session.stream_taken', 'this session has an open stream already');
  if (open !== undefined) live.streams.delete(open.id);
  const stream = ports.sessions.stream(live, true);
  live.session.standalone = stream;
  stream.attach(response, {});
  listenWhile(ports, live, stream, response);
}

/** The upstreams' own streams are open as long as the agent's is. */
function listenWhile(ports: McpEndpointPorts, live: LiveSession, stream: EventStream, response: Response): void {
  ports.listen(live, true);
  response.on('close', () => {
    if (live.session.standalone === stream && !stream.attached && !live.session.closed) ports.listen(live, false);
  });
}

function refuse(
  ports: McpEndpointPorts,
  exchange: Omit<Exchange, 'identity'> & { identity: Identity | undefined },
  error: GatewayError,
  message: RpcMessage | undefined,
): void {
  const { request, response, endpoint, identity, arrival } = exchange;
  const method = message === undefined || message.kind === 'response' ? undefined : message.method;
  ports.pipeline.refuse(error, {
    endpoint,
    tenant: identity?.tenant ?? ports.tenant(),
    arrival,
    ...(identity === undefined ? {} : { identity }),
    ...(method === undefined ? {} : { method }),
  });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const headers: Record<string, string> = {};
  const challenge = error.httpStatus === 401 || error.httpStatus === 403 ? ports.challenge(error, endpoint) : undefined;
  if (challenge !== undefined) headers['www-authenticate'] = challenge;
  if (error.httpStatus === 405) headers['allow'] = 'POST, GET, DELETE';
  const retryS = error.detail?.['retry_after_s'];
  if (error.httpStatus === 503) headers['retry-after'] = typeof retryS === 'number' ? String(retryS) : '1';
  // What was not read cannot be kept apart from the next request on this connection.
  if (!request.complete) headers['connection'] = 'close';
  const id = message !== undefined && message.kind === 'request' ? message.id : null;
  const status = message !== undefined && error.httpStatus === 200 ? 200 : error.httpStatus === 200 ? 400 : error.httpStatus;
  sendJson(response, status, JSON.stringify({ jsonrpc: '2.0', id, error: { code: error.rpcCode, message: error.message } }), true, headers);
}

function sendJson(response: Response, status: number, text: string, plain: boolean, headers: Record<string, string> = {}): void {
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
    response.end(`event: message\ndata: ${text}\n\n`);
  }
}

interface Acceptable {
  readonly json: boolean;
  readonly stream: boolean;
  /** The client names event streams before JSON: what it prefers, where both would do. */
  readonly streamFirst: boolean;
}

const usual: Acceptable = { json: true, stream: true, streamFirst: false };

function accepts(request: Request): Acceptable {
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

function arrivalOf(request: Request, nowMs: number): Arrival & { bytes: number } {
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

function header(request: Request, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function objectOr(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
