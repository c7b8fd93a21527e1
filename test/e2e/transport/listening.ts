import assert from 'node:assert/strict';
import type { RawAgent } from '../../support/gateway.ts';

/** A JSON-RPC message, to look into as a test likes. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Message = { id?: string | number; method?: string; params?: any; result?: any; error?: any };

/** An event stream that an agent reads: a GET of its own, or the answer to a POST. */
export class Listening {
  readonly response: Response;
  readonly messages: Message[] = [];
  readonly ids: string[] = [];
  comments = 0;
  ended = false;
  readonly #abort: AbortController;
  readonly done: Promise<void>;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.done = this.#read();
  }

  /** Opens the stream that belongs to no call. */
  static open(agent: RawAgent, headers: Record<string, string> = {}): Promise<Listening> {
    return Listening.#start(agent, { method: 'GET', headers: { accept: 'text/event-stream', ...headers } });
  }

  /** Posts a message and reads the answer as it comes. */
  static post(agent: RawAgent, body: object, headers: Record<string, string> = {}): Promise<Listening> {
    return Listening.#start(agent, {
      method: 'POST',
      headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  }

  static async #start(agent: RawAgent, init: RequestInit): Promise<Listening> {
    const abort = new AbortController();
    const own = {
      authorization: `Bearer ${agent.token ?? ''}`,
      ...(agent.session === undefined ? {} : { 'mcp-session-id': agent.session }),
    };
    const response = await fetch(agent.url, {
      ...init,
      headers: { ...own, ...(init.headers as Record<string, string>) },
      signal: abort.signal,
    });
    assert.equal(response.status, 200, response.ok ? '' : await response.text());
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    return new Listening(response, abort);
  }

  get lastId(): string | undefined {
    return this.ids.at(-1);
  }

  methods(): (string | undefined)[] {
    return this.messages.map((message) => message.method);
  }

  /** Cuts the connection, as a network would. */
  close(): void {
    this.#abort.abort();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of this.response.body ?? []) {
        rest += decoder.decode(chunk as Uint8Array, { stream: true });
        const frames = rest.split('\n\n');
        rest = frames.pop() ?? '';
        for (const frame of frames) this.#take(frame);
      }
    } catch {
      // Cut by the test or by the gateway: the test looks at what came.
    }
    this.ended = true;
  }

  #take(frame: string): void {
    for (const line of frame.split('\n')) {
      if (line.startsWith(':')) this.comments++;
      else if (line.startsWith('id: ')) this.ids.push(line.slice(4));
      else if (line.startsWith('data: ') && line.length > 6) this.messages.push(JSON.parse(line.slice(6)) as Message);
    }
  }
}
