import type { JsonObject } from '../model/json.ts';
import { CallClock } from './call-clock.ts';
import type { OnStray } from './channel.ts';
import type { CredentialSource } from './credentials.ts';
import { fault } from './faults.ts';
import { HttpExchange, type ExchangeFailure } from './http-exchange.ts';
import { readRefusalError } from './http-refusal.ts';
import type { HttpTarget } from './http-target.ts';
import { mirroredHeaders } from './mirrored-headers.ts';
import { eraOfAnswer, type ProbeAnswer } from './probe-answer.ts';
import { modernVersion } from './modern-wire.ts';
import type { Era } from './types.ts';
import { parseMessage, requestText, type Incoming } from './wire.ts';

/** What a probe over HTTP is made of. */
export interface HttpProbeParts {
  readonly upstream: string;
  readonly target: HttpTarget;
  readonly credentials: CredentialSource;
  readonly envelope: JsonObject;
  readonly timeoutMs: number;
  readonly maxMessageBytes: number;
  readonly onStray: OnStray;
}

type Outcome =
  ProbeAnswer | { readonly kind: 'status'; readonly status: number } | { readonly kind: 'failure'; readonly failure: ExchangeFailure };

const probeId = 0;

/**
 * Asks an HTTP upstream which era it speaks with one `server/discover`. Only what the upstream itself answers counts: a refused credential,
 * a server error and a broken connection say nothing of an era.
 * @throws GatewayError `upstream.credential`, `upstream.unreachable`, `upstream.timeout`, `upstream.protocol`
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#backward-compatibility
 */
export async function probeHttp(parts: HttpProbeParts): Promise<Era> {
  const { upstream, credentials } = parts;
  let credential = await credentials.fetch();
  let outcome = await ask(parts, credential);
  if (isRefused(outcome) && credentials.refused(credential)) {
    credential = await credentials.fetch();
    outcome = await ask(parts, credential);
  }
  if (outcome.kind === 'failure') {
    const { kind, why, cause } = outcome.failure;
    throw fault(kind === 'network' ? 'upstream.unreachable' : `upstream.${kind}`, upstream, why, cause);
  }
  if (outcome.kind !== 'status') return eraOfAnswer(upstream, outcome);
  const { status } = outcome;
  if (isRefused(outcome)) throw fault('upstream.credential', upstream, `status ${status}`);
  if (status >= 500 || status === 408 || status === 429) throw fault('upstream.unreachable', upstream, `status ${status}`);
  if (status >= 300 && status < 400)
    throw fault('upstream.protocol', upstream, `a redirect with status ${status}: redirects are not followed`);
  return 'legacy';
}

function isRefused(outcome: Outcome): boolean {
  return outcome.kind === 'status' && (outcome.status === 401 || outcome.status === 403);
}

function ask({ target, envelope, timeoutMs, maxMessageBytes, onStray }: HttpProbeParts, credential: readonly string[]): Promise<Outcome> {
  const params = { _meta: envelope };
  const own = ['accept', 'application/json, text/event-stream', 'content-type', 'application/json', 'accept-encoding', 'identity'];
  const mirrored = mirroredHeaders('server/discover', params, []);
  const headers = [...own, ...target.headers, ...credential, 'mcp-protocol-version', modernVersion, ...mirrored];
  return new Promise((resolve) => {
    const finish = (outcome: Outcome): void => {
      clock.stop();
      resolve(outcome);
    };
    const exchange = new HttpExchange(
      {
        onBody: (status, _headers, body) =>
          finish(status < 300 ? (readAnswer(body, onStray) ?? { kind: 'status', status }) : readRefused(status, body)),
        onEvent: (_type, data) => {
          const answer = readAnswer(data, onStray);
          if (answer === undefined) return 'more';
          finish(answer);
          return 'final';
        },
        onStreamEnd: () => finish({ kind: 'status', status: 200 }),
        onFailure: (failure) => finish({ kind: 'failure', failure }),
      },
      maxMessageBytes,
    );
    const clock = new CallClock({ timeoutMs }, () => {
      exchange.cancel();
      finish({
        kind: 'failure',
        failure: {
          kind: 'network',
          why: 'no answer to `server/discover` in time; configure `era` where it only knows older revisions',
          sent: exchange.sent,
        },
      });
    });
    const body = requestText(probeId, 'server/discover', params);
    target.streams.dispatch({ path: target.path, method: 'POST', headers, body }, exchange);
  });
}

function readRefused(status: number, body: Buffer): Outcome {
  const refused = status < 500 && status !== 401 && status !== 403 ? readRefusalError(body) : undefined;
  return refused === undefined ? { kind: 'status', status } : { kind: 'error', code: refused.code, error: refused.error };
}

function readAnswer(data: string | Buffer, onStray: OnStray): ProbeAnswer | undefined {
  let message: Incoming;
  try {
    message = parseMessage(data);
  } catch {
    // What is no message is no word of an era either.
    return undefined;
  }
  if (message.kind !== 'response') {
    onStray({ form: message.kind, method: message.method, why: 'it came before the upstream was asked anything for an agent' });
    return undefined;
  }
  if (message.error !== undefined) return { kind: 'error', code: Number(message.error['code']), error: message.error };
  return { kind: 'result', result: message.result ?? {} };
}
