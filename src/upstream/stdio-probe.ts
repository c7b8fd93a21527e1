import type { JsonObject } from '../model/json.ts';
import type { OnStray } from './channel.ts';
import { fault } from './faults.ts';
import { eraOfAnswer } from './probe-answer.ts';
import { ProbedChild } from './probed-child.ts';
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
  readonly maxLineBytes: number;
  readonly killGraceMs: number;
  readonly onStray: OnStray;
}

/** What a probe found; a program of the modern era runs on, so that it need not be started again. */
export interface StdioFinding {
  readonly era: Era;
  readonly running?: ProbedChild;
}

const probeId = 0;
/** A program that knows only older revisions may stay silent. */
const maxWaitMs = 5_000;

/**
 * Asks a program which era it speaks, in a process of its own. Where it speaks an older one, that process is ended before the real one starts:
 * some programs end themselves when their first message is not `initialize`. An error, an end or silence is what older revisions answer.
 * @throws GatewayError `upstream.unreachable` when the program cannot be started, `upstream.protocol` when no version it names is spoken here
 * @see https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/stdio#backward-compatibility
 */
export async function probeStdio(parts: StdioProbeParts): Promise<StdioFinding> {
  const { upstream, transport, groups, envelope, timeoutMs, maxLineBytes, killGraceMs, onStray } = parts;
  let timer: NodeJS.Timeout | undefined;
  let running: ProbedChild | undefined;
  let isKept = false;
  try {
    const answered = new Promise<Answered>((resolve, reject) => {
      timer = setTimeout(() => resolve({ era: 'legacy', result: undefined }), Math.min(timeoutMs, maxWaitMs));
      running = new ProbedChild(transport, maxLineBytes, groups, {
        onLine: (line) => {
          try {
            const found = readLine(upstream, line, onStray);
            if (found !== undefined) resolve(found);
          } catch (error) {
            reject(error instanceof Error ? error : new Error('unknown'));
          }
        },
        onTooLong: () => undefined,
        onExit: (why, started) => {
          if (started) resolve({ era: 'legacy', result: undefined });
          else reject(fault('upstream.unreachable', upstream, why));
        },
      });
      running.child.write(requestText(probeId, 'server/discover', { _meta: envelope }));
    });
    const { era, result } = await answered;
    if (era === 'legacy' || running === undefined || result === undefined) return { era };
    running.discovered = result;
    isKept = true;
    return { era, running };
  } finally {
    clearTimeout(timer);
    if (!isKept) await running?.child.stop(killGraceMs);
  }
}

interface Answered {
  readonly era: Era;
  readonly result: JsonObject | undefined;
}

function readLine(upstream: string, line: Buffer, onStray: OnStray): Answered | undefined {
  let message: Incoming;
  try {
    message = parseMessage(line);
  } catch {
    // A greeting on standard output is no answer.
    return undefined;
  }
  if (message.kind !== 'response') {
    onStray({ form: message.kind, method: message.method, why: 'it came before the upstream was asked anything for an agent' });
    return undefined;
  }
  const { error, result } = message;
  if (error !== undefined) return { era: eraOfAnswer(upstream, { kind: 'error', code: errorCodeOf(error), error }), result: undefined };
  return { era: eraOfAnswer(upstream, { kind: 'result', result: result ?? {} }), result };
}
