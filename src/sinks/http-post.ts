import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { nodeHttp } from '../model/node-http.ts';
import { SinkFault, type SinkNetwork } from './sink.ts';

/** What came back: the status and the beginning of the body. */
export interface Posted {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface PostRequest {
  readonly method?: 'POST' | 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const defaultTimeoutMs = 10_000;
const maxAnswerBytes = 65_536;
const maxRetryAfterMs = 300_000;

/** Posts over connections that are kept. Follows no redirect: what is sent is for the configured address alone. */
export class HttpPost {
  readonly #network: SinkNetwork | undefined;
  readonly #timeoutMs: number;
  readonly #agents = {
    'http:': new nodeHttp.Agent({ keepAlive: true, maxSockets: 1 }),
    'https:': new HttpsAgent({ keepAlive: true, maxSockets: 1 }),
  };

  /** @param network where given, addresses that are private are refused when they are connected to */
  constructor(network: SinkNetwork | undefined, timeoutMs = defaultTimeoutMs) {
    this.#network = network;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws SinkFault for anything but a status from 200 to 299 */
  async post(request: PostRequest): Promise<Posted> {
    const url = new URL(request.url);
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    if (this.#network?.isPrivate(host) === true)
      throw new SinkFault(`\`${host}\` is a private address; set \`allow_private_network\` where that is meant`);
    const answer = await this.#ask(url, request).catch((cause: unknown) => {
      throw new SinkFault(`\`${url.host}\` cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    });
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw new SinkFault(`\`${url.host}\` answered with status ${answer.status}`, {
      tooLarge: answer.status === 413,
      retryAfterMs: retryAfter(answer.headers['retry-after']),
    });
  }

  close(): Promise<void> {
    for (const agent of Object.values(this.#agents)) agent.destroy();
    return Promise.resolve();
  }

  #ask(url: URL, { method = 'POST', headers, body }: PostRequest): Promise<Posted> {
    return new Promise((resolve, reject) => {
      const options = {
        method,
        headers: { ...headers, 'content-length': String(body.byteLength) },
        signal: AbortSignal.timeout(this.#timeoutMs),
        ...(this.#network === undefined ? {} : { lookup: this.#network.guardedLookup }),
      };
      const answered = (response: IncomingMessage): void => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on('data', (part: Buffer) => {
          bytes += part.length;
          if (bytes <= maxAnswerBytes) parts.push(part);
          else response.destroy(new Error('the answer is too long'));
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(parts).toString('utf8') }),
        );
      };
      const sent: ClientRequest =
        url.protocol === 'https:'
          ? httpsRequest(url, { ...options, agent: this.#agents['https:'] }, answered)
          : nodeHttp.request(url, { ...options, agent: this.#agents['http:'] }, answered);
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(waitMs) && waitMs > 0 ? Math.min(waitMs, maxRetryAfterMs) : undefined;
}
