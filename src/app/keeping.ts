import { randomUUID } from 'node:crypto';
import { openAuditLog } from '../audit/open.ts';
import { expire, type Expired } from '../audit/retention.ts';
import type { Environment } from '../cli/application.ts';
import type { KeepingTools } from '../cli/keeping-tools.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema-types.ts';
import type { Db } from '../model/ports.ts';
import { withLease } from '../store/lease.ts';
import { openDb } from '../store/open.ts';
import { auditStore, storeOptions } from './stores.ts';
import { readInputKeys } from './input-keys.ts';
import { keepingPorts, type KeepingPorts } from './keeping-ports.ts';
import type { Observation } from './observe.ts';
import { systemRecord, type Rooms, type Undo } from './rooms.ts';

const roundEveryMs = 3_600_000;
/** After the start, so that it does not add to it. */
const firstRoundMs = 60_000;
/** A process that dies in a round leaves it to others after this. */
const leaseMs = 1_800_000;

/** Erasure and holds straight in the database of a configuration, each action recorded before it takes effect. */
export const keepingTools: KeepingTools = {
  erase: (configPath, env, request) =>
    recorded(configPath, env, 'audit.erase', { from: request.from, until: request.until ?? request.from }, (ports) =>
      ports.erase(request, Date.now()),
    ),
  holds: (configPath, env) => withDatabase(configPath, env, (ports) => ports.holds()),
  addHold: (configPath, env, hold) =>
    recorded(configPath, env, 'audit.hold_added', { ...hold }, (ports) => ports.addHold(hold, 'operator', Date.now())),
  removeHold: (configPath, env, id) => recorded(configPath, env, 'audit.hold_removed', { hold: id }, (ports) => ports.removeHold(id)),
};

async function withDatabase<T>(
  configPath: string,
  env: Environment,
  work: (ports: KeepingPorts, config: Config) => Promise<T>,
): Promise<T> {
  const { config } = loadConfig(configPath, env);
  const db = await openDb(storeOptions(config));
  try {
    return await work(
      keepingPorts(db, () => readInputKeys(config), config.tenant),
      config,
    );
  } finally {
    await db.close();
  }
}

function recorded<T>(
  configPath: string,
  env: Environment,
  code: string,
  detail: object,
  work: (ports: KeepingPorts) => Promise<T>,
): Promise<T> {
  return withDatabase(configPath, env, async (ports, config) => {
    const audit = await openAuditLog(auditStore(config));
    try {
      await audit.append(systemRecord(config.tenant, code, 'on the command line, by who may open the database', detail));
    } finally {
      await audit.close();
    }
    return await work(ports);
  });
}

/** Starts the rounds of retention: soon after the start and every hour, in one replica at a time. */
export function startRetention(
  { db, audit, live, tenant, observation }: Pick<Rooms, 'db' | 'audit' | 'live' | 'tenant' | 'observation'>,
  undo: Undo,
): void {
  const holder = randomUUID();
  let running: Promise<void> = Promise.resolve();
  const round = (): void => {
    running = runRound({ db, tenant, holder, config: live.now.config, observation }, (done) => {
      const { days, records } = done;
      if (days.length === 0 && records === 0) return;
      const detail = { first_day: days[0] ?? null, last_day: days.at(-1) ?? null, days: days.length, records };
      audit.hand(systemRecord(tenant, 'audit.expired', 'retention took away what is too old', detail));
      observation.log.info('audit.expired', detail);
    });
  };
  const first = setTimeout(round, firstRoundMs).unref();
  const timer = setInterval(round, roundEveryMs).unref();
  undo.push(async () => {
    clearTimeout(first);
    clearInterval(timer);
    await running;
  });
}

async function runRound(
  { db, tenant, holder, config, observation }: { db: Db; tenant: string; holder: string; config: Config; observation: Observation },
  done: (expired: Expired) => void,
): Promise<void> {
  const { inputs, records } = config.audit;
  try {
    const expired = await withLease(db, { tenant, name: 'audit-expiry', holder, forMs: leaseMs }, Date.now, () =>
      expire(db, readInputKeys(config), { tenant, inputDays: inputs.keep_days, recordDays: records.keep_days, nowMs: Date.now() }),
    );
    if (expired !== undefined) done(expired);
  } catch (error) {
    // Nothing is lost by it: the next round goes on where this one ended.
    observation.log.error('audit.retention_failed', { error });
  }
}
