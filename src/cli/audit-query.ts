import { Command, Option } from 'commander';
import type { AuditRecord } from '../model/audit-record.ts';
import { GatewayError } from '../model/errors.ts';
import { AdminClient } from './admin-client.ts';
import type { AuditPage, AuditReader } from './application.ts';
import { addAuditFilter, auditQuery, type AuditFilterOptions } from './audit-filter.ts';
import { visible, type Output } from './output.ts';
import type { CommandContext } from './program.ts';

interface QueryOptions extends AuditFilterOptions {
  readonly server?: string;
  readonly config?: string;
  readonly limit: string;
  readonly cursor?: string;
}

const maxPage = 1_000;

/** `castellan audit query`. */
export function auditQueryCommand({ app, output }: CommandContext): Command {
  const command = new Command('query')
    .description('search the audit log: the newest records that fit')
    .addOption(new Option('--server <url>', 'the gateway; default: the one you are signed in at'))
    .option('--config <file>', 'read the database of this configuration directly, with no gateway running')
    .option('--limit <number>', 'how many at most', '50')
    .option('--cursor <cursor>', 'go on where an earlier answer ended');
  return addAuditFilter(command).action(async (options: QueryOptions) => {
    if (!/^[1-9]\d{0,5}$/.test(options.limit)) throw new GatewayError('request.invalid', '`--limit` must be a number, 1 to 999999');
    const reader = options.config === undefined ? remoteAudit(options) : await app.readAudit(options.config, process.env);
    try {
      const page = await gather(reader, auditQuery(options, Date.now()), Number(options.limit), options.cursor);
      output.answer(page, () => pageText(output, page));
    } finally {
      await reader.close();
    }
  });
}

/** The audit log of a gateway. */
export function remoteAudit(options: { readonly server?: string }): AuditReader {
  const client = AdminClient.connect(options, process.env);
  return {
    search: (query) => client.call<AuditPage>('GET', `/audit/search?${query.toString()}`),
    export: (query) => client.download(`/audit/export?${query.toString()}`),
    close: () => Promise.resolve(),
  };
}

/** As many as were asked for: one page of the search ends when its time is over, and then the next is asked. */
async function gather(reader: AuditReader, query: URLSearchParams, limit: number, cursor: string | undefined): Promise<AuditPage> {
  const records: AuditPage['records'][number][] = [];
  for (let next = cursor; ;) {
    const page = new URLSearchParams(query);
    page.set('limit', String(Math.min(limit - records.length, maxPage)));
    if (next !== undefined) page.set('cursor', next);
    const found = await reader.search(page);
    records.push(...found.records);
    if (found.next === null || records.length >= limit) return { records, next: found.next };
    next = found.next;
  }
}

function pageText(output: Output, { records, next }: AuditPage): string {
  if (records.length === 0) return 'no record fits';
  const table = output.table(
    ['record', 'at', 'kind', 'effect', 'identity', 'what', 'why'],
    records.map(({ seq, record }) => [
      String(seq),
      record.at,
      record.kind,
      visible(record.decision?.effect ?? record.outcome?.status ?? record.event?.code ?? ''),
      visible(record.who?.subject ?? '-'),
      visible(whatOf(record)),
      visible(record.decision?.reasons.map(({ rule, message }) => `${rule}: ${message}`).join('; ') ?? record.outcome?.error_code ?? ''),
    ]),
  );
  return next === null ? table : `${table}\nthere are more: go on with --cursor ${next}`;
}

function whatOf({ what, event, call }: AuditRecord): string {
  return what === undefined ? (event?.message ?? call ?? '') : `${what.method} ${what.server ?? '-'}/${what.name}`;
}
