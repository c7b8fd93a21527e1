import type { Message } from '../transport/listening.ts';
import type { ModernAgent, ModernOptions } from './modern-agent.ts';

/** The answer to a POST of 2026-07-28, read as it comes. */
export class ModernStream {
  readonly response: Response;
  readonly messages: Message[] = [];
  text = '';
  ended = false;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    void this.#read();
  }

  static async post(agent: ModernAgent, method: string, params: Record<string, unknown>, options?: ModernOptions): Promise<ModernStream> {
    const abort = new AbortController();
    const { headers, body } = agent.request(method, params, options);
    const response = await fetch(agent.raw.url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${agent.raw.token ?? ''}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(headers as Record<string, string>),
      },
      body,
      signal: abort.signal,
    });
    return new ModernStream(response, abort);
  }

  get methods(): (string | undefined)[] {
    return this.messages.map((message) => message.method);
  }

  /** Closes the connection, which cancels. */
  leave(): void {
    this.#abort.abort();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of this.response.body ?? []) {
        const text = decoder.decode(chunk as Uint8Array, { stream: true });
        this.text += text;
        const frames = (rest + text).split('\n\n');
        rest = frames.pop() ?? '';
        for (const line of frames.flatMap((frame) => frame.split('\n')))
          if (line.startsWith('data: ')) this.messages.push(JSON.parse(line.slice(6)) as Message);
      }
    } catch {
      // Left by the test: it looks at what came.
    }
    this.ended = true;
  }
}
