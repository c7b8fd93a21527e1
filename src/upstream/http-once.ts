import { CallClock } from './call-clock.ts';
import { HttpExchange, type ExchangeFailure, type ResponseHeaders } from './http-exchange.ts';
import type { Connections } from './http-target.ts';

const maxAnswerBytes = 65_536;

/** The outcome of a message that has no answer of its own. */
export type OnceOutcome =
  | { readonly kind: 'answer'; readonly status: number; readonly headers: ResponseHeaders; readonly body: Buffer }
  | { readonly kind: 'failure'; readonly failure: ExchangeFailure };

/** Sends one HTTP request whose answer matters only by its status. Never rejects. */
export function httpOnce(
  pool: Connections,
  request: { readonly method: 'POST' | 'DELETE'; readonly path: string; readonly headers: string[]; readonly body?: string },
  timeoutMs: number,
): Promise<OnceOutcome> {
  return new Promise((resolve) => {
    const finish = (outcome: OnceOutcome): void => {
      clock.stop();
      resolve(outcome);
    };
    const exchange = new HttpExchange(
      {
        onBody: (status, headers, body) => finish({ kind: 'answer', status, headers, body }),
        // A stream where nothing is due is as good as an empty answer.
        onEvent: () => 'more',
        onStreamEnd: () => finish({ kind: 'answer', status: 200, headers: exchange.responseHeaders, body: Buffer.alloc(0) }),
        onFailure: (failure) => finish({ kind: 'failure', failure }),
      },
      maxAnswerBytes,
    );
    const clock = new CallClock({ timeoutMs }, () => {
      exchange.cancel();
      finish({ kind: 'failure', failure: { kind: 'network', why: 'no answer in time', sent: exchange.sent } });
    });
    pool.dispatch({ path: request.path, method: request.method, headers: request.headers, body: request.body ?? null }, exchange);
  });
}
