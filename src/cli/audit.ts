import { Command, Option } from 'commander';
import type { AuditRecord } from '../model/audit-record.ts';
import { GatewayError } from '../model/errors.ts';
import { AdminClient } from './admin-client.ts';
import { auditEraseCommand, auditHoldCommand } from './audit-keeping.ts';
import { auditCheckpointCommand, auditProveCommand, auditVerifyCommand } from './audit-proofs.ts';
import { auditCheckReceiptCommand, auditReceiptCommand } from './audit-receipt.ts';
import { auditExportCommand } from './audit-export.ts';
import { auditQueryCommand } from './audit-query.ts';
import { visible, type Colour, type Output } from './output.ts';
import type { CommandContext } from './program.ts';

interface StoredRecord {
  readonly seq: number;
  readonly hash: string;
  readonly record: AuditRecord;
}

/** How often `--follow` asks. */
const followMs = 1_000;

interface TailOptions {
  readonly server?: string;
  readonly limit: string;
  readonly follow?: boolean;
  readonly identity?: string;
  readonly tool?: string;
  readonly effect?: string;
  readonly kind?: string;
}

/** `castellan audit`: tail, verify, checkpoint, prove, query. */
export function auditCommand(context: CommandContext): Command {
  const { output } = context;
  const command = new Command('audit').description('what was decided, and whether the record of it is whole');
  command
    .command('tail')
    .description('the latest records, oldest first')
    .addOption(new Option('--server <url>', 'the gateway; default: the one you are signed in at'))
    .option('--limit <number>', 'how many', '20')
    .option('--follow', 'go on with new ones until interrupted')
    .option('--identity <subject>', 'of one subject')
    .option('--tool <name>', 'of one tool')
    .addOption(new Option('--effect <effect>', 'with one effect').choices(['allow', 'redact', 'require_approval', 'deny']))
    .addOption(new Option('--kind <kind>', 'of one kind').choices(['decided', 'finished', 'refused', 'admin', 'system']))
    .action((options: TailOptions) => tail(output, options));
  command.addCommand(auditVerifyCommand(context));
  command.addCommand(auditCheckpointCommand(context));
  command.addCommand(auditProveCommand(context));
  command.addCommand(auditReceiptCommand(context));
  command.addCommand(auditCheckReceiptCommand(context));
  command.addCommand(auditEraseCommand(context));
  command.addCommand(auditHoldCommand(context));
  command.addCommand(auditQueryCommand(context));
  command.addCommand(auditExportCommand(context));
  return command;
}

async function tail(output: Output, options: TailOptions): Promise<void> {
  if (!/^[1-9]\d{0,3}$/.test(options.limit)) throw new GatewayError('request.invalid', '`--limit` must be a number, 1 to 1000');
  const client = AdminClient.connect(options, process.env);
  const query = new URLSearchParams({ limit: options.limit });
  for (const key of ['identity', 'tool', 'effect', 'kind'] as const) if (options[key] !== undefined) query.set(key, options[key]);
  let last = 0;
  while (!output.closed) {
    for (const one of await newerThan(last, query, client)) {
      output.answer(one, () => recordText(output, one));
      last = one.seq;
    }
    if (options.follow !== true) return;
    await new Promise((resolve) => setTimeout(resolve, followMs));
  }
}

/** Records after `last`, oldest first. The first time the latest page; later as many pages as came meanwhile, so that none is passed over. */
async function newerThan(last: number, query: URLSearchParams, client: AdminClient): Promise<StoredRecord[]> {
  const found: StoredRecord[] = [];
  for (let before: number | undefined; ;) {
    const page = new URLSearchParams(query);
    if (before !== undefined) page.set('before_seq', String(before));
    const records = (await client.call<StoredRecord[]>('GET', `/audit?${page.toString()}`)).filter((one) => one.seq > last);
    found.push(...records);
    before = Math.min(...records.map((one) => one.seq));
    if (last === 0 || records.length < Number(query.get('limit'))) return found.sort((a, b) => a.seq - b.seq);
  }
}

const colours: Readonly<Record<string, Colour | undefined>> = {
  allow: 'green',
  ok: 'green',
  redact: 'yellow',
  require_approval: 'yellow',
  held: 'yellow',
};

function recordText(output: Output, { seq, record }: StoredRecord): string {
  const effect = record.decision?.effect ?? record.outcome?.status ?? record.event?.code ?? '';
  const colour = colours[effect] ?? (record.kind === 'admin' || record.kind === 'system' ? 'cyan' : 'red');
  const what =
    record.what === undefined
      ? (record.event?.message ?? record.call ?? '')
      : `${record.what.method} ${record.what.server ?? '-'}/${record.what.name}`;
  const why = record.decision?.reasons.map((reason) => `${reason.rule}: ${reason.message}`).join('; ') ?? '';
  return [
    String(seq).padStart(6),
    record.at,
    record.kind.padEnd(8),
    output.paint(colour, visible(effect).padEnd(18)),
    visible(record.who?.subject ?? '-').padEnd(10),
    visible(what),
    visible(why),
  ].join('  ');
}
