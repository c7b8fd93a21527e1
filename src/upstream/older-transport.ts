import type { CredentialSource } from './credentials.ts';
import type { HttpTarget } from './http-target.ts';
import { openSseStream } from './sse-stream.ts';
import { isCausedBy } from './wrong-era.ts';

/** Statuses with which a server says that it does not take `initialize` at this address. */
const refusals: ReadonlySet<number> = new Set([400, 404, 405]);
/** How long an `endpoint` event is waited for where there may be none. */
const maxWaitMs = 5_000;

/** The cause of a fault that says: `initialize` is not taken here, so the upstream may have the transport before Streamable HTTP. */
export class OlderTransport extends Error {
  override readonly name = 'OlderTransport';
}

/** Such a cause for a refusal of `initialize`, if its status is one. */
export function olderTransport(status: number): OlderTransport | undefined {
  return refusals.has(status) ? new OlderTransport(`it does not take \`initialize\` there: status ${status}`) : undefined;
}

/** Whether a fault comes from a refused `initialize`. */
export function isOlderTransport(error: unknown): boolean {
  return isCausedBy(error, OlderTransport);
}

/**
 * Whether an upstream that refused `initialize` answers a GET with the stream of HTTP+SSE and its `endpoint` event. Never rejects: an
 * upstream that cannot be asked has not that transport, for all that is known.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#backwards-compatibility
 */
export async function speaksSse(parts: {
  readonly upstream: string;
  readonly target: HttpTarget;
  readonly credentials: CredentialSource;
  readonly timeoutMs: number;
  readonly maxMessageBytes: number;
}): Promise<boolean> {
  const { upstream, target, credentials, timeoutMs, maxMessageBytes } = parts;
  try {
    const headers = [...target.headers, ...(await credentials.fetch())];
    const stream = await openSseStream({
      ...{ upstream, target, headers, maxMessageBytes, timeoutMs: Math.min(timeoutMs, maxWaitMs) },
      onMessage: () => undefined,
      onEnd: () => undefined,
    });
    stream.close();
    return true;
  } catch {
    // What it said instead is in the fault of `initialize`, which the caller has.
    return false;
  }
}
