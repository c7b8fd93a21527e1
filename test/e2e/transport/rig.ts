import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { AuditRecord } from '../../../src/model/audit-record.ts';
import { RawAgent, startGatewayFixture, type GatewayFixture, type GatewayFixtureOptions } from '../../support/gateway.ts';
import { startRecordingUpstream, type RecordingUpstream } from '../../support/recording-upstream.ts';

/** An HTTP answer as it came. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any;
}

export interface HttpRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
  readonly body?: string | Uint8Array;
  /** Sends the body in chunks, its length not announced. */
  readonly chunked?: boolean;
}

/** A gateway in front of one upstream that records every byte. */
export interface Rig {
  readonly gateway: GatewayFixture;
  readonly upstream: RecordingUpstream;
  /** An agent with an open session. */
  agent(options?: { subject?: string; version?: string; capabilities?: object; endpoint?: string }): Promise<RawAgent>;
  /** One HTTP request, nothing added but what is given: `undefined` leaves a header out. */
  http(agent: RawAgent, request: HttpRequest): Promise<HttpAnswer>;
  /** The records after `seq`, oldest first, as far as they say how a request was taken: what `finished` adds is left out. */
  recordsAfter(seq: number, limit?: number): Promise<AuditRecord[]>;
  lastSeq(): Promise<number>;
  /** Runs `act` and holds that it was refused as said, recorded once, and that the upstream was sent nothing meanwhile. */
  refused(title: string, expected: Refusal, act: (canary: string) => Promise<HttpAnswer>): Promise<HttpAnswer>;
  close(): Promise<void>;
}

export interface Refusal {
  readonly status: number;
  /** The JSON-RPC code of the answer. */
  readonly rpc?: number;
  /** The code in the audit record; `undefined` for a decision of policy's. */
  readonly code?: string;
}

export interface RigOptions extends Partial<GatewayFixtureOptions> {
  /** YAML beside the recording upstream, which is called `rec`. */
  readonly moreUpstreams?: string;
  /** Sets the recording upstream up before the gateway reads it. */
  readonly prepare?: (upstream: RecordingUpstream) => void;
}

export async function startRig({ moreUpstreams = '', prepare, ...options }: RigOptions = {}): Promise<Rig> {
  const upstream = await startRecordingUpstream();
  prepare?.(upstream);
  const gateway = await startGatewayFixture({ upstreams: `  rec: { http: { url: "${upstream.url}" } }\n${moreUpstreams}`, ...options });
  const adminToken = await gateway.provider.tokenFor('sofia', { resource: gateway.adminAudience, expiresInS: 40_000 });
  const audit = async (query: string): Promise<{ seq: number; record: AuditRecord }[]> => {
    const response = await fetch(`${gateway.url}/admin/v1/audit?${query}`, { headers: { authorization: `Bearer ${adminToken}` } });
    assert.equal(response.status, 200);
    return (await response.json()) as { seq: number; record: AuditRecord }[];
  };
  let canaries = 0;
  const rig: Rig = {
    gateway,
    upstream,
    async agent({ subject, version, capabilities, endpoint } = {}) {
      return new RawAgent(gateway.endpoint(endpoint), await gateway.token(subject, endpoint)).open(version, capabilities);
    },
    http: (agent, request) => send(agent, request),
    async lastSeq() {
      return (await audit('limit=1'))[0]?.seq ?? 0;
    },
    async recordsAfter(seq, limit = 30) {
      const all = await audit(`limit=${String(limit)}`);
      return all
        .filter((row) => row.seq > seq && row.record.kind !== 'finished')
        .sort((a, b) => a.seq - b.seq)
        .map((row) => row.record);
    },
    async refused(title, expected, act) {
      const canary = `canary-${String(++canaries)}-of-a-refused-call`;
      const seq = await rig.lastSeq();
      const before = upstream.requests.length;
      const answer = await act(canary);
      assert.equal(answer.status, expected.status, `${title}: ${answer.text}`);
      if (expected.rpc !== undefined) assert.equal(answer.json?.error?.code, expected.rpc, `${title}: ${answer.text}`);
      let records = await rig.recordsAfter(seq);
      // A connection that breaks is recorded when the gateway sees it, which can be after the answer.
      for (let tries = 0; records.length === 0 && tries < 40; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 25));
        records = await rig.recordsAfter(seq);
      }
      assert.deepEqual(
        records.map((record) => record.event?.code ?? record.decision?.effect),
        [expected.code ?? 'deny'],
        `${title}: one audit record`,
      );
      assert.deepEqual(upstream.requests.slice(before), [], `${title}: nothing reached the upstream`);
      assert.ok(!upstream.bytes().includes(canary), `${title}: no byte of it reached the upstream`);
      return answer;
    },
    async close() {
      await gateway.close();
      await upstream.close();
    },
  };
  return rig;
}

/** A `tools/call` of `echo` whose text is `canary`. */
export function echoCall(canary: string, id: unknown = 1): { jsonrpc: string; id: unknown; method: string; params: object } {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'echo', arguments: { text: canary } } };
}

/** Holds that a good call is still answered. */
export async function assertServes(agent: RawAgent, title = 'the next good call'): Promise<void> {
  const answer = await agent.call('echo', { text: 'still here' });
  assert.equal(answer?.result?.content?.[0]?.text, '{"text":"still here"}', `${title}: ${JSON.stringify(answer)}`);
}

function send(agent: RawAgent, { method = 'POST', path, headers = {}, body, chunked = false }: HttpRequest): Promise<HttpAnswer> {
  const url = new URL(agent.url);
  const all: Record<string, string | string[] | undefined> = {
    'content-type': method === 'POST' ? 'application/json' : undefined,
    accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
    authorization: agent.token === undefined ? undefined : `Bearer ${agent.token}`,
    'mcp-session-id': agent.session,
    ...headers,
  };
  const bytes = body === undefined ? undefined : Buffer.from(body);
  if (bytes !== undefined && !chunked && all['content-length'] === undefined) all['content-length'] = String(bytes.length);
  const given = Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined));
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ host: url.hostname, port: url.port, path: path ?? url.pathname, method, headers: given, agent: false });
    outgoing.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        resolve(answerOf(response.statusCode ?? 0, response.headers, Buffer.concat(parts).toString('utf8')));
      });
    });
    // A refusal that comes before the body is whole may close the connection under the writer.
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' || outgoing.destroyed) reject(error);
    });
    outgoing.end(bytes);
  });
}

function answerOf(status: number, headers: IncomingHttpHeaders, text: string): HttpAnswer {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Not JSON: the test looks at the text.
  }
  return { status, headers, text, json };
}

/** Writes `chunks` to a bare connection, `waitMs` apart, and gives all that came back until the other side closed. */
export function rawExchange(
  gatewayUrl: string,
  chunks: readonly string[],
  options: { waitMs?: number; giveUpMs?: number } = {},
): Promise<string> {
  const { hostname, port } = new URL(gatewayUrl);
  const { waitMs = 0, giveUpMs = 8000 } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let said = '';
    let timer: NodeJS.Timeout | undefined;
    const giveUp = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the connection stayed open; it said ${said}`));
    }, giveUpMs);
    const next = (at: number): void => {
      if (at >= chunks.length || socket.destroyed) return;
      socket.write(chunks[at] ?? '', 'latin1');
      timer = setTimeout(() => next(at + 1), waitMs);
    };
    socket.on('connect', () => next(0));
    socket.on('data', (data: Buffer) => (said += data.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      clearTimeout(giveUp);
      resolve(said);
    });
  });
}

/** Waits until `holds` is true. */
export async function until(holds: () => boolean | Promise<boolean>, what = 'what was waited for', timeoutMs = 5000): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`${what} did not happen in ${String(timeoutMs)} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
