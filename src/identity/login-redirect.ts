import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A listener on loopback for one authorization response. */
export interface RedirectListener {
  readonly redirectUri: string;
  /** Resolves with the address that the browser was sent to; rejects when the signal aborts first. The listener is closed either way. */
  readonly response: Promise<URL>;
}

const headers = {
  'content-type': 'text/plain; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
};

/**
 * Listens on 127.0.0.1 and a free port for the one response that carries `state`. Anything else, as a web page of another origin could
 * send to this port, is refused and does not end the wait.
 * @see RFC 8252 section 7.3
 */
export async function listenForRedirect(state: string, signal: AbortSignal): Promise<RedirectListener> {
  const { promise, resolve, reject } = Promise.withResolvers<URL>();
  // The caller may fail before it awaits the response: that must not count as an unhandled rejection.
  promise.catch(() => undefined);
  const server = createServer((request, response) => {
    const url = fittingUrl(request, origin, state);
    answer(response, url === undefined ? 400 : 200);
    if (url !== undefined) resolve(url);
  });
  await new Promise<void>((listening, failed) => server.once('error', failed).listen(0, '127.0.0.1', listening));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const abort = (): void => reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  const response = promise.finally(() => {
    signal.removeEventListener('abort', abort);
    server.close();
    // The browser got its answer by now or never will: an idle connection must not keep the command running.
    setTimeout(() => server.closeAllConnections(), 200).unref();
  });
  response.catch(() => undefined);
  return { redirectUri: `${origin}/callback`, response };
}

function fittingUrl(request: IncomingMessage, origin: string, state: string): URL | undefined {
  if (request.method !== 'GET' || `http://${request.headers.host ?? ''}` !== origin) return undefined;
  const url = URL.parse(request.url ?? '', origin);
  return url?.origin === origin && url.pathname === '/callback' && url.searchParams.get('state') === state ? url : undefined;
}

function answer(response: ServerResponse, status: 200 | 400): void {
  const text =
    status === 200
      ? 'Back to the terminal: the sign-in goes on there. This page can be closed.'
      : 'This is not the expected sign-in response.';
  response.writeHead(status, { ...headers, connection: 'close' }).end(`${text}\n`);
}
