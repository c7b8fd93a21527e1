import { fault, type UpstreamFault } from './faults.ts';
import { HttpExchange } from './http-exchange.ts';
import type { HttpTarget } from './http-target.ts';
import { WrongEra } from './wrong-era.ts';

/** What a stream is opened with. */
export interface SseStreamParts {
  readonly upstream: string;
  readonly target: HttpTarget;
  readonly headers: readonly string[];
  readonly timeoutMs: number;
  readonly maxMessageBytes: number;
  onMessage(data: string, bytes: number): void;
  /** The stream is over, before or after its place to post to was known. Called once. */
  onEnd(code: UpstreamFault, why: string): void;
}

/** An open stream, and the path on the same origin that takes what is sent. */
export interface SseStream {
  readonly path: string;
  close(): void;
}

/**
 * Opens the one stream of the HTTP+SSE transport and waits for its `endpoint` event. Only the first such event counts: a later one could
 * turn calls aside. An endpoint on another origin would be sent our credential, so it is refused.
 * @throws GatewayError
 */
export function openSseStream(parts: SseStreamParts): Promise<SseStream> {
  const { upstream, target, timeoutMs, maxMessageBytes } = parts;
  return new Promise((resolve, reject) => {
    let isOver = false;
    const end = (code: UpstreamFault, why: string, cause?: unknown): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      exchange.cancel();
      reject(fault(code, upstream, why, cause));
      parts.onEnd(code, why);
    };
    const onEndpoint = (data: string): void => {
      const named = URL.canParse(data, target.url.href) ? new URL(data, target.url) : undefined;
      if (named?.origin !== target.url.origin) {
        end('upstream.protocol', 'the endpoint event names another origin');
        return;
      }
      clearTimeout(timer);
      resolve({ path: named.pathname + named.search, close: () => exchange.cancel() });
    };
    const exchange = new HttpExchange(
      {
        onBody: (status) => {
          const code =
            status === 401 || status === 403 ? 'upstream.credential' : status >= 500 ? 'upstream.unreachable' : 'upstream.protocol';
          const isGone = status === 400 || status === 404 || status === 405;
          end(code, `the stream was answered with status ${status}`, isGone ? new WrongEra('it has no such stream') : undefined);
        },
        onEvent: (type, data, bytes) => {
          if (type === 'endpoint') onEndpoint(data);
          else if (type === undefined || type === 'message') parts.onMessage(data, bytes);
          return 'more';
        },
        onStreamEnd: () => end('upstream.unreachable', 'the stream ended'),
        onFailure: ({ kind, why, cause }) => end(kind === 'network' ? 'upstream.unreachable' : `upstream.${kind}`, why, cause),
      },
      maxMessageBytes,
      true,
    );
    const timer = setTimeout(() => end('upstream.timeout', 'no endpoint event came in time'), timeoutMs);
    const headers = ['accept', 'text/event-stream', 'accept-encoding', 'identity', ...parts.headers];
    target.streams.dispatch({ path: target.path, method: 'GET', headers }, exchange);
  });
}
