import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AgentChannel, Answer } from '../call/call.ts';
import { sessionVersions } from '../call/methods.ts';
import type { Incoming } from '../call/pipeline.ts';
import type { RpcMessage, RpcRequest } from '../call/rpc.ts';
import { GatewayError } from '../model/errors.ts';
import { identityKey } from '../model/identity.ts';
import type { Awaitable } from '../model/ports.ts';
import { parseEventId, retryMs, type EventStream } from './event-stream.ts';
import { accepts, header, objectOr, quietMs, sendJson, type Exchange, type McpEndpointPorts } from './mcp-exchange.ts';
import type { LiveSession } from './session-book.ts';
import { atTokenEnd } from './token-life.ts';

/**
 * A message of a session, or the `initialize` that opens one: 2025-03-26 to 2025-11-25.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
 */
export function postInSession(ports: McpEndpointPorts, exchange: Exchange, message: RpcMessage): Awaitable<void> {
  const { request, response, identity, arrival } = exchange;
  checkVersion(request);
  if (message.kind === 'request' && message.method === 'initialize') return initialize(ports, exchange, message);
  const live = find(ports, exchange);
  const { session } = live;
  if (message.kind === 'request') return answer(ports, exchange, live, message);
  const accept = (): void => void response.writeHead(202).end();
  if (message.kind === 'notification') return ports.pipeline.notification({ session, identity, arrival, message }).then(accept);
  ports.pipeline.response({ session, identity, arrival, message });
  accept();
}

/** Ends a session. */
export function endSession(ports: McpEndpointPorts, exchange: Exchange): void {
  ports.sessions.end(find(ports, exchange), ports.now());
  exchange.response.writeHead(204).end();
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
function checkVersion(request: IncomingMessage): void {
  const version = header(request, 'mcp-protocol-version');
  if (version === undefined || sessionVersions.some((known) => known === version)) return;
  throw new GatewayError('protocol.version', `\`${version.slice(0, 20)}\` is not served here; ${versionWords}`);
}

const versionWords = `open a session with \`initialize\` and one of ${sessionVersions.map((version) => `\`${version}\``).join(', ')}`;

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
  else sendJson(response, 200, text, accepts(request).json && !accepts(request).streamFirst, {}, retryMs);
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
export function openStream(ports: McpEndpointPorts, exchange: Exchange): void {
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
    endWithToken(ports, exchange);
    if (stream === live.session.standalone) listenWhile(ports, live, stream, response);
    return;
  }
  const open = live.session.standalone as EventStream | undefined;
  if (open?.attached === true) throw new GatewayError('session.stream_taken', 'this session has an open stream already');
  if (open !== undefined) live.streams.delete(open.id);
  const stream = ports.sessions.stream(live, true);
  live.session.standalone = stream;
  stream.attach(response, {});
  endWithToken(ports, exchange);
  listenWhile(ports, live, stream, response);
}

/** The connection ends with the token that opened it; the stream is kept, and resumed with a fresh one. */
function endWithToken(ports: McpEndpointPorts, { identity, response }: Exchange): void {
  const stop = atTokenEnd(identity, ports.now(), () => response.end());
  response.on('close', stop);
}

/** The upstreams' own streams are open as long as the agent's is. */
function listenWhile(ports: McpEndpointPorts, live: LiveSession, stream: EventStream, response: ServerResponse): void {
  ports.listen(live, true);
  response.on('close', () => {
    if (live.session.standalone === stream && !stream.attached && !live.session.closed) ports.listen(live, false);
  });
}
