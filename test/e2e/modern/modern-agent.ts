import { metaKey, modernVersion } from '../../../src/call/modern-meta.ts';
import { RawAgent } from '../../support/gateway.ts';
import type { HttpAnswer, Rig } from '../transport/rig.ts';

/** What a request of 2026-07-28 says of its client. */
export function envelope(capabilities: object = {}, more: object = {}): Record<string, unknown> {
  return {
    [metaKey.version]: modernVersion,
    [metaKey.clientInfo]: { name: 'raw', version: '1' },
    [metaKey.clientCapabilities]: capabilities,
    ...more,
  };
}

export interface ModernOptions {
  readonly id?: string | number;
  readonly capabilities?: object;
  /** More of `_meta`. */
  readonly meta?: object;
  /** Headers to add, or with `undefined` to leave out. */
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
}

/** An agent that speaks 2026-07-28 by hand, so that a test can send what no client would. */
export class ModernAgent {
  readonly raw: RawAgent;
  readonly #rig: Rig;
  #nextId = 1;

  private constructor(rig: Rig, raw: RawAgent) {
    this.#rig = rig;
    this.raw = raw;
  }

  static async of(rig: Rig, subject?: string, endpoint?: string): Promise<ModernAgent> {
    return new ModernAgent(rig, new RawAgent(rig.gateway.endpoint(endpoint), await rig.gateway.token(subject, endpoint)));
  }

  /** The request as it would go out. */
  request(
    method: string,
    params: Record<string, unknown> = {},
    options: ModernOptions = {},
  ): { headers: Record<string, string | string[] | undefined>; body: string } {
    const { id = this.#nextId++, capabilities, meta, headers } = options;
    return {
      headers: { ...mirrored(method, params), ...headers },
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: envelope(capabilities, meta) } }),
    };
  }

  /** Sends it and gives the answer, the last message of the stream where it is one. */
  async send(method: string, params?: Record<string, unknown>, options?: ModernOptions): Promise<HttpAnswer> {
    const answer = await this.#rig.http(this.raw, this.request(method, params, options));
    return answer.json === undefined ? { ...answer, json: lastMessage(answer.text) } : answer;
  }

  call(name: string, args: object = {}, options?: ModernOptions): Promise<HttpAnswer> {
    return this.send('tools/call', { name, arguments: args }, options);
  }
}

/** Every message of an event stream's text. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export function messagesOf(text: string): any[] {
  const lines = text.split('\n').filter((line) => line.startsWith('data: ') && line.length > 6);
  return lines.map((line) => JSON.parse(line.slice(6)) as unknown);
}

function lastMessage(text: string): unknown {
  return messagesOf(text).at(-1);
}

/** The headers that repeat parts of a request. */
export function mirrored(method: string, params: Record<string, unknown>): Record<string, string> {
  const name =
    method === 'tools/call' || method === 'prompts/get' ? params['name'] : method === 'resources/read' ? params['uri'] : undefined;
  return {
    'mcp-protocol-version': modernVersion,
    'mcp-method': method,
    ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
  };
}
