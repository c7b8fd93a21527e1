import type { AgentChannel } from '../call/call.ts';
import { clientOf, modernVersion, readRequestMeta, type RequestMeta } from '../call/modern-meta.ts';
import { statusOfAnswer } from '../call/modern-reply.ts';
import type { RpcMessage, RpcNotification, RpcRequest } from '../call/rpc.ts';
import { Cancellation } from '../model/cancellation.ts';
import { GatewayError } from '../model/errors.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import { EventStream } from './event-stream.ts';
import { checkMirroredHeaders, paramHeaders } from './mcp-era.ts';
import { accepts, objectOr, quietMs, sendJson, type Exchange, type McpEndpointPorts } from './mcp-exchange.ts';
import type { LiveSession } from './session-book.ts';
import { atTokenEnd } from './token-life.ts';

/**
 * A message that stands for itself: 2026-07-28. Its answer is JSON, or a stream where something is to be told before; closing the connection
 * cancels it.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
 */
export async function postStateless(ports: McpEndpointPorts, exchange: Exchange, message: RpcMessage): Promise<void> {
  if (message.kind === 'request') await answer(ports, exchange, message);
  else if (message.kind === 'notification') await take(ports, exchange, message);
}

async function answer(ports: McpEndpointPorts, exchange: Exchange, message: RpcRequest): Promise<void> {
  const { request, response, identity } = exchange;
  const meta = readRequestMeta(message.params);
  checkMirroredHeaders(request, message);
  const listens = message.method === 'subscriptions/listen';
  if (listens && !accepts(request).stream)
    throw new GatewayError('http.not_acceptable', '`subscriptions/listen` is answered with an event stream; accept `text/event-stream`');
  const { session, live } = implicitSession(ports, exchange, meta);
  const arrival = withTrace({ ...exchange.arrival, paramHeaders: paramHeaders(request) }, message.params);
  const gone = new Cancellation();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const stream = new AnswerStream(ports, exchange, live);
  const stopWaiting = listens ? atTokenEnd(identity, ports.now(), () => gone.abort()) : () => undefined;
  const quiet = setTimeout(() => stream.open(), quietMs);
  try {
    const incoming = { session, identity, arrival, message, signal: gone, logLevel: meta.logLevel };
    const reply = await (listens ? ports.pipeline.subscribe(incoming, stream, gone) : ports.pipeline.request(incoming, stream));
    if (reply === undefined) {
      stream.end();
      return;
    }
    const startedMs = performance.now();
    const text = JSON.stringify({ jsonrpc: '2.0', id: message.id, ...reply });
    if (!stream.finish(text)) sendJson(response, statusOfAnswer(reply), text, accepts(request).json && !accepts(request).streamFirst);
    ports.stage('reply', performance.now() - startedMs);
  } finally {
    clearTimeout(quiet);
    stopWaiting();
  }
}

/** A notification is judged and recorded like everything else; there is none that this revision would do something with. */
async function take(ports: McpEndpointPorts, exchange: Exchange, message: RpcNotification): Promise<void> {
  const { response, identity, arrival } = exchange;
  const meta = message.params?.['_meta'];
  const { session } = implicitSession(ports, exchange, clientOf(objectOr(meta)));
  await ports.pipeline.notification({ session, identity, arrival, message });
  response.writeHead(202).end();
}

/** The session that requests of one client share without knowing of it: upstreams with sessions need one. */
function implicitSession(
  ports: McpEndpointPorts,
  { identity, endpoint }: Exchange,
  { clientInfo, capabilities }: Pick<RequestMeta, 'clientInfo' | 'capabilities'>,
): { readonly session: LiveSession['session']; readonly live: LiveSession } {
  const startedAtMs = ports.now();
  const live = ports.sessions.implicit({ identity, endpoint, protocolVersion: modernVersion, clientInfo, capabilities, startedAtMs });
  return { session: live.session, live };
}

/** Trace context may come in the body as well. @see https://modelcontextprotocol.io/specification/2026-07-28/basic/index#meta */
function withTrace<A extends { readonly traceId: string | undefined }>(arrival: A, params: JsonObject | undefined): A {
  const meta = params?.['_meta'];
  const parent = isJsonObject(meta) ? meta['traceparent'] : undefined;
  const trace = typeof parent === 'string' ? /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(parent) : null;
  return trace === null || arrival.traceId !== undefined ? arrival : { ...arrival, traceId: trace[1] };
}

/** What is told before the answer opens a stream, where the client takes one; else it is dropped. */
class AnswerStream implements AgentChannel {
  readonly #ports: McpEndpointPorts;
  readonly #exchange: Exchange;
  readonly #live: LiveSession;
  #stream: EventStream | undefined;

  constructor(ports: McpEndpointPorts, exchange: Exchange, live: LiveSession) {
    this.#ports = ports;
    this.#exchange = exchange;
    this.#live = live;
  }

  open(): EventStream | undefined {
    const { request, response } = this.#exchange;
    if (this.#stream === undefined && accepts(request).stream && !response.headersSent && !response.destroyed)
      this.#stream = this.#ports.sessions.attach(this.#live, response);
    return this.#stream;
  }

  send(message: JsonObject): boolean {
    return this.open()?.send(message) ?? false;
  }

  /** Ends the stream; what there was to say is said. */
  end(): void {
    this.#stream?.end(this.#ports.now());
  }

  /** Ends the stream with the answer; gives false where none was opened. */
  finish(text: string): boolean {
    if (this.#stream === undefined) return false;
    this.#stream.finish(text, this.#ports.now());
    return true;
  }
}
