import { request as requestHttps } from 'node:https';
import { nodeHttp } from '../model/node-http.ts';

/** What a document's reader needs of an answer. `body` is `null` where it is not wanted. */
export interface PlainAnswer {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array> | null;
}

/** A GET of `url` that follows no redirect. The global `fetch` fits. */
export type PlainGet = (
  url: URL,
  options: { readonly redirect: 'error'; readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal },
) => Promise<PlainAnswer>;

/**
 * A GET over Node's own client. The global `fetch` would load a second HTTP stack into the process, whose parser alone makes V8 take 40 MB
 * for a moment. A redirect is an answer like any other; only a 200 has a body.
 * @throws Error on a network failure and when the signal aborts
 */
export const plainGet: PlainGet = (url, { headers, signal }) =>
  new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps : nodeHttp.request;
    request(url, { headers: { 'user-agent': 'castellan', 'accept-encoding': 'identity', ...headers }, signal }, (response) => {
      const status = response.statusCode ?? 0;
      if (status !== 200) response.destroy();
      resolve({ status, body: status === 200 ? response : null });
    })
      .on('error', (cause) => reject(new Error(`\`${url.href}\` cannot be reached`, { cause: told(cause) })))
      .end();
  });

/** Each address of a host name may have failed for itself: then the error that holds them all says nothing. */
function told(error: unknown): unknown {
  return error instanceof AggregateError && error.message === '' ? error.errors[0] : error;
}
