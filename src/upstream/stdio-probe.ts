import type { JsonObject } from '../model/json.ts';
import { Child } from './child.ts';
import { fault } from './faults.ts';
import { eraOfAnswer } from './probe-answer.ts';
import type { ProcessGroups } from './process-groups.ts';
import type { Era, UpstreamTransport } from './types.ts';
import { errorCodeOf, parseMessage, requestText, type Incoming } from './wire.ts';

/** What a probe of a program is made of. */
export interface StdioProbeParts {
  readonly upstream: string;
  readonly transport: Extract<UpstreamTransport, { kind: 'stdio' }>;
  readonly groups: ProcessGroups;
  readonly envelope: JsonObject;
  readonly timeoutMs: number;
  readonly killGraceMs: number;
}

const probeId = 0;
const maxLineBytes = 1024 * 1024;
/** A program that knows only older revisions may stay silent. */
const maxWaitMs = 5_000;

/**
 * Asks a program which era it speaks, in a process of its own that is ended before the real one starts: some end themselves when their first
 * message is not `initialize`. An error, an end or silence is what older revisions answer.
 * @throws GatewayError `upstream.unreachable` when the program cannot be started, `upstream.protocol` when no version it names is spoken here
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/stdio#backward-compatibility
 */
export async function probeStdio(parts: StdioProbeParts): Promise<Era> {
  const { upstream, transport, groups, envelope, timeoutMs, killGraceMs } = parts;
  let child: Child | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Era>((resolve, reject) => {
      timer = setTimeout(() => resolve('legacy'), Math.min(timeoutMs, maxWaitMs));
      child = new Child(transport, maxLineBytes, groups, {
        onLine: (line) => {
          try {
            const era = readLine(upstream, line);
            if (era !== undefined) resolve(era);
          } catch (error) {
            reject(error instanceof Error ? error : new Error('unknown'));
          }
        },
        onTooLong: () => undefined,
        onStderr: () => undefined,
        onExit: (why, started) => {
          if (started) resolve('legacy');
          else reject(fault('upstream.unreachable', upstream, why));
        },
      });
      child.write(requestText(probeId, 'server/discover', { _meta: envelope }));
    });
  } finally {
    clearTimeout(timer);
    await child?.stop(killGraceMs);
  }
}

function readLine(upstream: string, line: Buffer): Era | undefined {
  let message: Incoming;
  try {
    message = parseMessage(line);
  } catch {
    // A greeting on standard output is no answer.
    return undefined;
  }
  if (message.kind !== 'response') return undefined;
  const { error, result } = message;
  if (error !== undefined) return eraOfAnswer(upstream, { kind: 'error', code: errorCodeOf(error), error });
  return eraOfAnswer(upstream, { kind: 'result', result: result ?? {} });
}
