import { Option, type Command } from 'commander';
import { effects } from '../model/decision.ts';
import { GatewayError } from '../model/errors.ts';

/** The options that say which records; the same for every command that reads the log. */
export interface AuditFilterOptions {
  readonly identity?: string;
  readonly client?: string;
  readonly tool?: string;
  readonly upstream?: string;
  readonly endpoint?: string;
  readonly method?: string;
  readonly effect?: string;
  readonly rule?: string;
  readonly release?: string;
  readonly call?: string;
  readonly kind?: string;
  readonly since?: string;
  readonly until?: string;
  readonly text?: string;
}

/** Adds the options that say which records. */
export function addAuditFilter(command: Command): Command {
  return command
    .option('--since <time>', 'from this time on: `7d`, `12h`, `30m`, or a date such as 2026-11-01T08:00Z')
    .option('--until <time>', 'before this time')
    .option('--identity <subject>', 'of one subject')
    .option('--client <id>', 'of one agent')
    .option('--tool <name>', 'of one tool, resource or prompt')
    .option('--upstream <name>', 'of one upstream')
    .option('--endpoint <name>', 'of one endpoint')
    .option('--method <method>', 'of one MCP method')
    .addOption(new Option('--effect <effect>', 'with one effect').choices([...effects]))
    .option('--rule <id>', 'with one rule among the reasons')
    .option('--release <id>', 'decided by one release')
    .option('--call <id>', 'of one call')
    .addOption(new Option('--kind <kind>', 'of one kind').choices(['decided', 'finished', 'refused', 'admin', 'system']))
    .option('--text <words>', 'with all these words in names, reasons or messages; give a time too');
}

/** The options as the query of the admin API. @throws GatewayError `request.invalid` */
export function auditQuery(options: AuditFilterOptions, nowMs: number): URLSearchParams {
  const query = new URLSearchParams();
  for (const key of ['identity', 'client', 'tool', 'endpoint', 'method', 'effect', 'rule', 'release', 'call', 'kind', 'text'] as const)
    if (options[key] !== undefined) query.set(key, options[key]);
  if (options.upstream !== undefined) query.set('server', options.upstream);
  if (options.since !== undefined) query.set('since_ms', String(timeOf('--since', options.since, nowMs)));
  if (options.until !== undefined) query.set('until_ms', String(timeOf('--until', options.until, nowMs)));
  return query;
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** A time as people give it, in milliseconds since 1970: so long ago, or a date. @throws GatewayError `request.invalid` */
export function timeOf(option: string, text: string, nowMs: number): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const unitMs = unitsMs[unit];
  if (count !== undefined && unitMs !== undefined) return nowMs - Number(count) * unitMs;
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isSafeInteger(atMs) && atMs >= 0) return atMs;
  throw new GatewayError(
    'request.invalid',
    `\`${option} ${text}\` is no time; give \`7d\`, \`12h\`, \`30m\`, or a date such as 2026-11-01T08:00Z`,
  );
}
