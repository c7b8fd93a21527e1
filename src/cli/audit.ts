import { Command, Option } from 'commander';
import type { AuditRecord } from '../model/audit-record.ts';
import type { Verification } from './application.ts';
import { AdminClient } from './admin-client.ts';
import { exitCodes } from './exit-codes.ts';
import { visible, type Output } from './output.ts';
import type { CommandContext } from './program.ts';

interface StoredRecord {
  readonly seq: number;
  readonly hash: string;
  readonly record: AuditRecord;
}

interface TailOptions {
  readonly server?: string;
  readonly limit: string;
  readonly follow?: boolean;
  readonly identity?: string;
  readonly tool?: string;
  readonly effect?: string;
  readonly kind?: string;
}

/** `castellan audit tail|verify`. */
export function auditCommand({ app, output, exit }: CommandContext): Command {
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
  command
    .command('verify')
    .description('check the hash chain: edits, deletions, insertions, reordering, and a cut tail against a known head')
    .addOption(new Option('--server <url>', 'ask a gateway'))
    .option('--config <file>', 'check the database of this configuration directly, with no gateway running')
    .option('--head <seq:hash>', 'the head that was noted earlier; a log that does not reach it was cut')
    .action(async (options: { server?: string; config?: string; head?: string }) => {
      const body = options.head === undefined ? {} : { head: options.head };
      const found =
        options.config === undefined
          ? await AdminClient.connect(options, process.env).call<Verification>('POST', '/audit/verify', body)
          : await app.verifyAudit(options.config, process.env, options.head);
      output.answer(found, () => verificationText(output, found));
      if (!found.ok) exit(exitCodes.failed);
    });
  return command;
}

async function tail(output: Output, options: TailOptions): Promise<void> {
  const client = AdminClient.connect(options, process.env);
  const query = new URLSearchParams({ limit: options.limit });
  for (const key of ['identity', 'tool', 'effect', 'kind'] as const) if (options[key] !== undefined) query.set(key, options[key]);
  let last = 0;
  for (;;) {
    const records = await client.call<StoredRecord[]>('GET', `/audit?${query.toString()}`);
    const fresh = records.filter((one) => one.seq > last).sort((a, b) => a.seq - b.seq);
    for (const one of fresh) {
      output.answer(one, () => recordText(output, one));
      last = one.seq;
    }
    if (options.follow !== true) return;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function recordText(output: Output, { seq, record }: StoredRecord): string {
  const effect = record.decision?.effect ?? record.outcome?.status ?? record.event?.code ?? '';
  const colour =
    effect === 'allow' || effect === 'ok'
      ? 'green'
      : effect === 'redact' || effect === 'require_approval' || effect === 'held'
        ? 'yellow'
        : 'red';
  const what =
    record.what === undefined ? (record.event?.message ?? '') : `${record.what.method} ${record.what.server ?? '-'}/${record.what.name}`;
  const why = record.decision?.reasons.map((reason) => `${reason.rule}: ${reason.message}`).join('; ') ?? '';
  return [
    String(seq).padStart(6),
    record.at,
    record.kind.padEnd(8),
    output.paint(colour, effect.padEnd(16)),
    visible(record.who?.subject ?? '-'),
    visible(what),
    visible(why),
  ].join('  ');
}

function verificationText(output: Output, found: Verification): string {
  if (found.ok)
    return `${output.paint('green', 'whole')}: ${found.records ?? 0} records, head ${found.headSeq ?? 0}:${found.headHash ?? ''}`;
  return `${output.paint('red', 'broken')} at record ${found.at ?? 0}: ${found.problem ?? ''}`;
}
