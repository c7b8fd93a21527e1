import { withTraceHeaders } from '../model/trace-scope.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { OnStray, OutgoingRequest } from './channel.ts';
import type { CredentialSource } from './credentials.ts';
import { fault, openFault, reasonOf } from './faults.ts';
import type { Handshake } from './handshake.ts';
import { HttpCall } from './http-call.ts';
import type { HttpCallPort, HttpState, IdentifiedRequest } from './http-call-port.ts';
import { HttpExchange, type ExchangeEvents } from './http-exchange.ts';
import type { HttpTarget } from './http-target.ts';
import { Inbox } from './inbox.ts';
import { mirroredHeaders, paramHeadersOf, type ParamHeader } from './mirrored-headers.ts';
import type { ListenEvents, ModernCarrier } from './modern-carrier.ts';
import { ModernHttpListen } from './modern-http-listen.ts';
import { discoversModern, isModernError, modernVersion, readDiscovery } from './modern-wire.ts';
import type { ListKind, RequestOptions, UpstreamLog, UpstreamReply } from './types.ts';
import { errorCodeOf, requestText, withProgressToken } from './wire.ts';
import { WrongEra } from './wrong-era.ts';

/** What the HTTP carrier is made of. */
export interface ModernHttpParts {
  readonly upstream: string;
  readonly target: HttpTarget;
  readonly credentials: CredentialSource;
  readonly timeoutMs: number;
  readonly maxMessageBytes: number;
  readonly log: UpstreamLog;
  retrySafe(method: string, params: JsonObject | undefined): boolean;
  /** The input schema of a tool, as the catalogue has it. */
  schemaOf(tool: string): JsonObject | undefined;
  onListChanged(kind: ListKind): void;
  onUnreachable(): void;
  readonly onStray: OnStray;
}

/** Headers that all requests under one credential share. There is no session. */
interface Dressed extends HttpState {
  readonly sessionId: undefined;
  readonly credential: readonly string[];
  readonly headers: readonly string[];
}

const noHeaders: readonly ParamHeader[] = [];
/** What a schema asks for, kept as long as that schema. */
const paramHeaders = new WeakMap<JsonObject, readonly ParamHeader[]>();

/**
 * Carries requests of the modern era over Streamable HTTP: each is a POST of its own, and leaving its answer cancels it.
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
 */
export class ModernHttp implements ModernCarrier, HttpCallPort<Dressed> {
  readonly upstream: string;
  readonly inbox: Inbox;
  readonly #parts: ModernHttpParts;
  readonly #calls = new Set<HttpCall<Dressed>>();
  #dressed: Dressed | undefined;
  #lastId = 0;
  #closed = false;

  constructor(parts: ModernHttpParts) {
    this.#parts = parts;
    this.upstream = parts.upstream;
    this.inbox = new Inbox('', {
      onListChanged: (kind) => parts.onListChanged(kind),
      onStray: parts.onStray,
    });
  }

  get busy(): number {
    return this.#calls.size;
  }

  async discover(envelope: JsonObject): Promise<Handshake> {
    const message: OutgoingRequest = { kind: 'request', method: 'server/discover', params: { _meta: envelope } };
    try {
      const reply = await this.send(message, { timeoutMs: this.#parts.timeoutMs });
      if (reply.kind === 'result' && discoversModern(reply.result)) return readDiscovery(reply.result);
      const isOther = reply.kind === 'result' || !isModernError(errorCodeOf(reply.error)) || errorCodeOf(reply.error) === -32022;
      const cause = isOther ? new WrongEra('it does not name the modern version') : undefined;
      throw fault('upstream.protocol', this.upstream, 'server/discover was answered wrongly', cause);
    } catch (error) {
      this.#parts.log({ level: 'warn', event: 'open_failed', upstream: this.upstream, detail: { reason: reasonOf(error) } });
      if (!this.#closed) this.#parts.onUnreachable();
      throw openFault(this.upstream, error);
    }
  }

  send(message: OutgoingRequest, options: RequestOptions): Promise<UpstreamReply> {
    if (this.#closed) return Promise.reject(fault('upstream.unreachable', this.upstream, 'the session was closed'));
    const answered = new Promise<UpstreamReply>((resolve, reject) => {
      const call = new HttpCall(this, message, options, resolve, reject);
      this.#calls.add(call);
      call.start();
    });
    return message.method === 'tools/list' ? answered.then((reply) => this.#withoutInvalid(reply)) : answered;
  }

  listen(params: JsonObject, events: ListenEvents): { close(): void } {
    const id = this.nextId();
    const { target, maxMessageBytes, onStray } = this.#parts;
    return new ModernHttpListen({
      id,
      events,
      maxMessageBytes,
      onStray,
      dispatch: async (exchange) => {
        const dressed = await this.ready();
        const headers = [...dressed.headers, ...mirroredHeaders('subscriptions/listen', params, noHeaders)];
        const body = requestText(id, 'subscriptions/listen', params);
        target.streams.dispatch({ path: target.path, method: 'POST', headers, body }, exchange);
        return () => void this.credentialRefused(dressed);
      },
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const call of this.#calls) call.end('cancelled');
    return Promise.resolve();
  }

  ready(): Dressed | Promise<Dressed> {
    const credential = this.#parts.credentials.peek();
    if (credential === undefined) return this.#parts.credentials.fetch().then((fetched) => this.#dress(fetched));
    return this.#dressed?.credential === credential ? this.#dressed : this.#dress(credential);
  }

  nextId(): number {
    return ++this.#lastId;
  }

  post(state: Dressed, { id, message, reports }: IdentifiedRequest, events: ExchangeEvents): HttpExchange {
    const { target, maxMessageBytes } = this.#parts;
    const { method, params } = message;
    const body = requestText(id, method, reports ? withProgressToken(params, id) : params);
    const headers = withTraceHeaders([...state.headers, ...mirroredHeaders(method, params, this.#paramHeaders(message))]);
    const exchange = new HttpExchange(events, maxMessageBytes);
    const pool = method === 'server/discover' ? target.streams : target.calls;
    pool.dispatch({ path: target.path, method: 'POST', headers, body }, exchange);
    return exchange;
  }

  lost(): void {
    // There is no session to lose.
  }

  giveUp(): void {
    // Leaving the answer is the cancellation.
  }

  doubtful(status: number): Error | undefined {
    return status === 400 || status === 404 || status === 405 ? new WrongEra(`it answered with status ${status}`) : undefined;
  }

  credentialRefused(state: Dressed): boolean {
    return this.#parts.credentials.refused(state.credential);
  }

  retrySafe(message: OutgoingRequest): boolean {
    return message.method === 'server/discover' || this.#parts.retrySafe(message.method, message.params);
  }

  unreachable(): void {
    this.#parts.onUnreachable();
  }

  settled(call: HttpCall<Dressed>): void {
    this.#calls.delete(call);
  }

  /** A list without the tools whose header annotations break a rule, as the transport asks for. */
  #withoutInvalid(reply: UpstreamReply): UpstreamReply {
    const tools = reply.kind === 'result' ? reply.result['tools'] : undefined;
    if (reply.kind === 'error' || !Array.isArray(tools)) return reply;
    const valid = (tools as readonly Json[]).filter((tool) => {
      const schema = isJsonObject(tool) ? tool['inputSchema'] : undefined;
      if (!isJsonObject(tool) || !isJsonObject(schema)) return true;
      try {
        paramHeadersOf(schema);
        return true;
      } catch (error) {
        const detail = { tool: JSON.stringify(tool['name']).slice(0, 130), reason: reasonOf(error) };
        this.#parts.log({ level: 'warn', event: 'tool_left_out', upstream: this.upstream, detail });
        return false;
      }
    });
    return { ...reply, result: { ...reply.result, tools: valid } };
  }

  #dress(credential: readonly string[]): Dressed {
    const own = ['accept', 'application/json, text/event-stream', 'content-type', 'application/json', 'accept-encoding', 'identity'];
    const headers = [...own, ...this.#parts.target.headers, ...credential, 'mcp-protocol-version', modernVersion];
    return (this.#dressed = { sessionId: undefined, credential, headers });
  }

  #paramHeaders({ method, params }: OutgoingRequest): readonly ParamHeader[] {
    const name = params?.['name'];
    const schema = method === 'tools/call' && typeof name === 'string' ? this.#parts.schemaOf(name) : undefined;
    if (schema === undefined) return noHeaders;
    let wanted = paramHeaders.get(schema);
    if (wanted === undefined) paramHeaders.set(schema, (wanted = readable(schema)));
    return wanted;
  }
}

/** What a schema asks for; nothing where its annotations break a rule: that tool is not listed, so nobody calls it. */
function readable(schema: JsonObject): readonly ParamHeader[] {
  try {
    return paramHeadersOf(schema);
  } catch {
    // A definition that changed since it was listed; the upstream will say so.
    return noHeaders;
  }
}
