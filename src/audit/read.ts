import type { AuditRecord } from '../model/audit-record.ts';
import type { Effect } from '../model/decision.ts';
import type { Digest } from '../model/ids.ts';
import type { Db, SqlValue } from '../model/ports.ts';
import { callKey, hashText, indexText } from './columns.ts';

/** Which records. Everything given must hold. */
export interface AuditFilter {
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  readonly identity?: { readonly issuer?: string; readonly subject?: string; readonly client?: string };
  readonly endpoint?: string;
  readonly server?: string;
  /** The tool's (or resource's, prompt's) own name. */
  readonly tool?: string;
  readonly method?: string;
  readonly effect?: Effect;
  /** A rule of any reason, dry runs included. */
  readonly rule?: string;
  readonly release?: string;
  readonly callId?: string;
  readonly kind?: AuditRecord['kind'];
  readonly sinceMs?: number;
  /** Before this time. */
  readonly untilMs?: number;
  readonly afterSeq?: number;
  readonly beforeSeq?: number;
  /** 1 to 1000, default 100. */
  readonly limit?: number;
}

/** A record as it stands in the log. */
export interface StoredRecord {
  readonly seq: number;
  readonly hash: Digest;
  readonly record: AuditRecord;
}

const maxRows = 1_000;
// Records stand in the order of their commit, and clocks of replicas differ: a time is looked for this far around.
export const slackMs = 120_000;

/**
 * The newest records that fit, newest first; go on with `beforeSeq` of the last one. One statement: what no index helps with is better asked
 * of {@link searchAudit}. @throws GatewayError `store.unavailable`
 */
export async function readAudit(db: Db, filter: AuditFilter): Promise<StoredRecord[]> {
  const { tenant, log = 'main', sinceMs, untilMs } = filter;
  const { conditions, params } = conditionsOf(filter, db.engine);
  // Time has no index of its own, since each insert would pay for it: the numbers of the records stand in for it.
  const bound = (condition: string, seq: number): void => void conditions.push(`${condition} $${params.push(seq)}`);
  if (sinceMs !== undefined) bound('seq >=', await firstSeqFrom(db, tenant, log, sinceMs - slackMs));
  if (untilMs !== undefined) bound('seq <', await firstSeqFrom(db, tenant, log, untilMs + slackMs));
  params.push(Math.min(Math.max(Math.trunc(filter.limit ?? 100), 1), maxRows));
  const rows = await db.query<{ seq: number; hash: string; record: string }>(
    `SELECT seq, ${hashText(db.engine)}, record FROM audit_record WHERE ${conditions.join(' AND ')} ORDER BY seq DESC LIMIT $${params.length}`,
    params,
  );
  return rows.map(storedRecord).filter((stored) => hasNames(stored.record, filter));
}

/** A row as it is given out. */
export function storedRecord({ seq, hash, record }: { seq: number; hash: string; record: string }): StoredRecord {
  return { seq, hash: `sha256:${hash}` as Digest, record: JSON.parse(record) as AuditRecord };
}

interface Name {
  readonly asked: (filter: AuditFilter) => string | undefined;
  readonly said: (record: AuditRecord) => readonly (string | null | undefined)[];
}

/** What no column holds, by its member in the record's text: how a filter asks for it, and what a record says. */
const names: Readonly<Record<string, Name>> = {
  issuer: { asked: ({ identity }) => identity?.issuer, said: ({ who }) => [who?.issuer] },
  client: { asked: ({ identity }) => identity?.client, said: ({ who }) => [who?.client] },
  endpoint: { asked: ({ endpoint }) => endpoint, said: ({ what }) => [what?.endpoint] },
  server: { asked: ({ server }) => server, said: ({ what }) => [what?.server] },
  name: { asked: ({ tool }) => tool, said: ({ what }) => [what?.name] },
  release: { asked: ({ release }) => release, said: ({ decision }) => [decision?.release] },
  rule: {
    asked: ({ rule }) => rule,
    said: ({ decision }) => [...(decision?.reasons ?? []), ...(decision?.dry_run ?? [])].map((reason) => reason.rule),
  },
};

function askedNames(filter: AuditFilter): { readonly member: string; readonly text: string; readonly said: Name['said'] }[] {
  return Object.entries(names).flatMap(([member, { asked, said }]) => {
    const text = asked(filter);
    return text === undefined ? [] : [{ member, text, said }];
  });
}

/** Whether a filter asks for what {@link conditionsOf} only narrows, and {@link hasNames} tells. */
export function asksForNames(filter: AuditFilter): boolean {
  return askedNames(filter).length > 0;
}

/** Whether the record has the names that no column holds: `rule` may be that of any reason. */
export function hasNames(record: AuditRecord, filter: AuditFilter): boolean {
  return askedNames(filter).every(({ text, said }) => said(record).includes(text));
}

/** The filter as SQL, without its limit. It may let records pass that {@link hasNames} does not. */
export function conditionsOf(filter: AuditFilter, engine: Db['engine']): { readonly conditions: string[]; readonly params: SqlValue[] } {
  const { tenant, log = 'main', identity = {}, sinceMs, untilMs } = filter;
  const params: SqlValue[] = [tenant, log];
  // A record that retention emptied has nothing left to be found by.
  const conditions = ['tenant = $1', 'log = $2', "record <> ''"];
  const where = (condition: string, value: SqlValue | undefined): void => {
    if (value === undefined) return;
    params.push(value);
    conditions.push(`${condition} $${params.length}`);
  };
  const equal = (column: string, text: string | undefined): void => where(`${column} =`, text === undefined ? undefined : indexText(text));
  where('call_id =', filter.callId === undefined ? undefined : callKey(filter.callId));
  equal('subject', identity.subject);
  equal('method', filter.method);
  equal('effect', filter.effect);
  // Said again in words that the partial index of what was not allowed can be matched with.
  if (filter.effect !== undefined && filter.effect !== 'allow') conditions.push("effect <> 'allow'");
  // Nobody's message can look like a member of the text.
  for (const { member, text } of askedNames(filter))
    conditions.push(`${engine === 'sqlite' ? 'instr' : 'strpos'}(record, $${params.push(`"${member}":${JSON.stringify(text)}`)}) > 0`);
  equal('kind', filter.kind);
  where('at_ms >=', sinceMs);
  where('at_ms <', untilMs);
  where('seq >', filter.afterSeq);
  where('seq <', filter.beforeSeq);
  return { conditions, params };
}

/** The first number whose record is not before `atMs`, or the one after the last. */
export async function firstSeqFrom(db: Db, tenant: string, log: string, atMs: number): Promise<number> {
  const [head] = await db.query<{ seq: number }>('SELECT seq FROM audit_head WHERE tenant = $1 AND log = $2', [tenant, log]);
  let low = 1;
  let high = (head?.seq ?? 0) + 1;
  while (low < high) {
    // Some places are asked for at once: with PostgreSQL the round trips are what takes the time.
    const probes = probesBetween(low, high);
    const places = probes.map((_, index) => `$${index + 3}`).join(', ');
    const rows = await db.query<{ seq: number; at_ms: number }>(
      `SELECT seq, at_ms FROM audit_record WHERE tenant = $1 AND log = $2 AND seq IN (${places}) ORDER BY seq`,
      [tenant, log, ...probes],
    );
    // A log has no gaps; where one was torn into it, what lies beyond counts.
    if (rows.length < probes.length) return firstByHalves(db, tenant, log, atMs, low, high);
    const later = rows.find((row) => row.at_ms >= atMs);
    const earlier = rows.findLast((row) => row.seq < (later?.seq ?? high));
    if (later !== undefined) high = later.seq;
    if (earlier !== undefined) low = earlier.seq + 1;
  }
  return low;
}

const probeCount = 15;

/** Up to 15 numbers from `low` on and before `high`, evenly spread. */
function probesBetween(low: number, high: number): number[] {
  const span = high - low;
  if (span <= probeCount) return Array.from({ length: span }, (_, index) => low + index);
  return Array.from({ length: probeCount }, (_, index) => low + Math.floor((span * (index + 1)) / (probeCount + 1)));
}

async function firstByHalves(db: Db, tenant: string, log: string, atMs: number, from: number, to: number): Promise<number> {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const sql = 'SELECT seq, at_ms FROM audit_record WHERE tenant = $1 AND log = $2 AND seq >= $3 ORDER BY seq LIMIT 1';
    const [row] = await db.query<{ seq: number; at_ms: number }>(sql, [tenant, log, middle]);
    if (row !== undefined && row.at_ms < atMs) low = row.seq + 1;
    else high = middle;
  }
  return low;
}
