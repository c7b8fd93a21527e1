import { finishInterrupted } from '../audit/unfinished-calls.ts';
import type { Config } from '../config/schema-types.ts';
import type { AuditLog, Db } from '../model/ports.ts';
import type { Log } from '../observe/log.ts';
import type { Undo } from './rooms.ts';

const marginMs = 60_000;

/**
 * Writes the end of calls that an earlier run left open. With an embedded database nobody else is there: all of them, before anything is
 * served. Replicas share PostgreSQL: there only what no call can take any more, now and once when this is true of all that was there.
 * @throws GatewayError `store.unavailable`, `audit.unavailable`
 */
export async function endInterrupted(config: Config, db: Db, audit: AuditLog, log: Log, undo: Undo): Promise<void> {
  const { tenant } = config;
  const maxCallMs = config.limits.call_timeout_ms + marginMs;
  const startMs = Date.now();
  const end = async (beforeMs: number): Promise<void> => {
    const calls = await finishInterrupted(db, audit, { tenant, maxCallMs: maxCallMs * 2, beforeMs, nowMs: Date.now() });
    if (calls > 0) log.warn('audit.calls_interrupted', { calls });
  };
  if (db.engine === 'sqlite') {
    await end(startMs);
    return;
  }
  await end(startMs - maxCallMs);
  const timer = setTimeout(() => {
    end(startMs).catch((error: unknown) => log.error('audit.failed', { error }));
  }, maxCallMs).unref();
  undo.push(() => {
    clearTimeout(timer);
    return Promise.resolve();
  });
}
