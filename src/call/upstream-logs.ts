import { permitFor } from './act.ts';
import type { Call } from './call.ts';
import { judge } from './judge.ts';
import { unsolicited, upstreamSession } from './messages.ts';
import { logLevels, type LogLevel } from './modern-meta.ts';
import type { Parts } from './parts.ts';
import { finishedRecord } from './record.ts';
import { callOf } from './resolve.ts';

/**
 * Sees to it that an upstream with sessions talks as much as a request asks for: in its era the level belongs to the session. It is set only
 * when it becomes more talkative; what a request does not want is kept back on the way. Goes on without log messages where policy or the
 * upstream refuses.
 */
export async function wantLogs(parts: Parts, call: Call, upstream: string, level: LogLevel): Promise<void> {
  const { session, identity, arrival, snapshot } = call;
  const set = session.logLevels.get(upstream);
  if (set !== undefined && logLevels.indexOf(set) <= logLevels.indexOf(level)) return;
  const method = 'logging/setLevel';
  if (!snapshot.endpoint.upstreamsFor(method).includes(upstream)) return;
  session.logLevels.set(upstream, level);
  const target = { kind: 'logging', server: upstream, name: method } as const;
  const asked = callOf({ session, identity, arrival, snapshot, phase: 'call', method, target, subject: { level } });
  const { decision, held, subject } = await judge(parts, asked, { track: false });
  let status: 'ok' | 'denied' | 'upstream_error' = 'denied';
  if (decision.effect !== 'deny' && held === undefined) {
    try {
      const permit = permitFor(upstream, { kind: 'request', method, params: subject }, decision, asked.id);
      await upstreamSession(parts, asked, upstream).request(permit, {
        timeoutMs: parts.settings().callTimeoutMs,
        onMessage: (message) => unsolicited(parts, session, upstream, message),
      });
      status = 'ok';
    } catch (error) {
      // The call itself will tell what is wrong with the upstream; for the next one the level is asked for again.
      session.logLevels.delete(upstream);
      parts.observer.failed(asked.id, error);
      status = 'upstream_error';
    }
  }
  parts.audit.hand(finishedRecord(asked, { status, bytes: 0, total_ms: 0 }, parts.now()));
}
