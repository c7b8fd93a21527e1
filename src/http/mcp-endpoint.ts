import type { IncomingMessage, ServerResponse } from 'node:http';
import { readMessage, type RpcMessage } from '../call/rpc.ts';
import { asGatewayError, GatewayError } from '../model/errors.ts';
import type { Identity } from '../model/identity.ts';
import type { JsonObject } from '../model/json.ts';
import { isJson, readBody } from './body.ts';
import { eraOf } from './mcp-era.ts';
import { accepts, arrivalOf, header, sendJson, type Exchange, type McpEndpointPorts, type OpenArrival } from './mcp-exchange.ts';
import { traceIdOf, traced } from './mcp-trace.ts';
import { postStateless } from './mcp-modern.ts';
import { endSession, openStream, postInSession } from './mcp-session.ts';

export type { McpEndpointPorts } from './mcp-exchange.ts';

/** Serves one request to the endpoint of this name; answers each fault itself. */
export type McpEndpoint = (endpoint: string, request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Streamable HTTP toward agents: sessions (2025-03-26 to 2025-11-25) and requests that stand for themselves (2026-07-28) at one address. Each
 * request says of which era it is; one that could be read as of either is refused.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning#backward-compatibility-with-initialization-based-versions
 */
export function mcpEndpoint(ports: McpEndpointPorts): McpEndpoint {
  return traced(ports.tracer, async (endpoint, request, response) => {
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
        message = received(ports, await bodyOf(ports, request), arrival);
        const exchange = { request, response, endpoint, identity, arrival };
        await (eraOf(request, message) === 'stateless' ? postStateless(ports, exchange, message) : postInSession(ports, exchange, message));
      } else if (request.method !== 'GET' && request.method !== 'DELETE')
        throw new GatewayError('http.method', `\`${request.method}\` is not used here; use POST, GET or DELETE`);
      else if (header(request, 'mcp-session-id') === undefined)
        throw new GatewayError('http.method', `\`${request.method}\` is for sessions; send the \`mcp-session-id\` header, or use POST`);
      else if (request.method === 'GET') openStream(ports, { request, response, endpoint, identity, arrival });
      else endSession(ports, { request, response, endpoint, identity, arrival });
    } catch (thrown) {
      refuse(ports, { request, response, endpoint, identity, arrival }, asGatewayError(thrown), message);
    }
  });
}

function bodyOf(ports: McpEndpointPorts, request: IncomingMessage): Promise<Buffer> {
  if (!isJson(request)) throw new GatewayError('body.media_type', 'the body must be `application/json` in UTF-8');
  const { json, stream } = accepts(request);
  if (!json && !stream) throw new GatewayError('http.not_acceptable', 'accept `application/json` and `text/event-stream`');
  return readBody(request, ports.limits().bodyBytes);
}

function received(ports: McpEndpointPorts, body: Buffer, arrival: OpenArrival): RpcMessage {
  const startedMs = performance.now();
  arrival.bytes = body.length;
  const message = readMessage(ports.parse(body));
  arrival.traceId = traceIdOf(ports.tracer, message, arrival.traceId);
  ports.stage('receive', performance.now() - startedMs);
  return message;
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
  const data = error.detail === undefined ? {} : { data: error.detail as JsonObject };
  const body = { jsonrpc: '2.0', id, error: { code: error.rpcCode, message: error.message, ...data } };
  sendJson(response, status, JSON.stringify(body), true, headers);
}
