import { parseJsonObject } from './compact-jws.ts';
import type { PlainAnswer, PlainGet } from './plain-get.ts';

/** How a document is fetched: the function, and the limits on it. */
export interface FetchLimits {
  readonly fetch: PlainGet;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** True for `localhost`, 127.0.0.0/8 and ::1, the only hosts that plain HTTP is spoken with. */
export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
}

/** `text` as a URL that keys may be fetched from: HTTPS, or HTTP on loopback; no user, password or fragment. */
export function trustedUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)) ? url : undefined;
}

/**
 * A JSON object from `url`, or `undefined` where the server answers that there is none (any 4xx).
 * Redirects are refused, and so is more than `maxBytes`.
 * @throws Error on any other answer, on a network failure and when the signal aborts
 */
export async function fetchDocument(url: URL, limits: FetchLimits): Promise<Readonly<Record<string, unknown>> | undefined> {
  const response = await limits.fetch(url, { redirect: 'error', headers: { accept: 'application/json' }, signal: limits.signal });
  if (response.status !== 200) {
    if (response.status >= 400 && response.status < 500) return undefined;
    throw new Error(`\`${url.href}\` answered ${response.status}`);
  }
  const document = parseJsonObject(await readBounded(response, limits.maxBytes, url));
  if (document === undefined) throw new Error(`\`${url.href}\` did not answer with a JSON object`);
  return document;
}

async function readBounded(response: PlainAnswer, maxBytes: number, url: URL): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`\`${url.href}\` answered with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
