import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command, Option } from 'commander';
import { GatewayError } from '../model/errors.ts';
import { exportForReplay, forReplayOptions, type ForReplayOptions } from './audit-export-for-replay.ts';
import { addAuditFilter, auditQuery, type AuditFilterOptions } from './audit-filter.ts';
import { remoteAudit } from './audit-query.ts';
import type { CommandContext } from './program.ts';

interface ExportOptions extends AuditFilterOptions, ForReplayOptions {
  readonly inputs?: boolean;
  readonly server?: string;
  readonly format: string;
}

/** `castellan audit export`: records as a file, or with `--for-replay` decisions without secrets. */
export function auditExportCommand(context: CommandContext): Command {
  const command = new Command('export')
    .description('write records to a file: JSON Lines that can be verified offline, CSV or Parquet')
    .addOption(new Option('--format <format>', 'the form of the file').choices(['jsonl', 'csv', 'parquet']).default('jsonl'))
    .option('--output <file>', 'where it is written; default: standard output')
    .addOption(new Option('--server <url>', 'the gateway; default: the one you are signed in at'))
    .option('--config <file>', 'read the database of this configuration directly, with no gateway running')
    .option('--inputs', 'with the inputs that decisions were made on, opened, in JSON Lines: they hold what agents sent; needs `--config`');
  return forReplayOptions(addAuditFilter(command)).action((options: ExportOptions) =>
    options.forReplay === true ? exportForReplay(context, options) : exportRecords(context, options),
  );
}

async function exportRecords({ app, output }: CommandContext, options: ExportOptions): Promise<void> {
  for (const name of ['from', 'policy', 'keyFile'] as const)
    if (options[name] !== undefined)
      throw new GatewayError('request.invalid', 'this option is for `--for-replay`; give that too, or leave it out');
  const query = auditQuery(options, Date.now());
  query.set('format', options.format);
  if (options.inputs === true) {
    if (options.config === undefined || options.format !== 'jsonl')
      throw new GatewayError('request.invalid', '`--inputs` needs `--config`, whose keys open them, and the form `jsonl`');
    query.set('inputs', 'true');
  }
  const reader = options.config === undefined ? remoteAudit(options) : await app.readAudit(options.config, process.env);
  let bytes = 0;
  const counted = async function* (): AsyncIterable<Uint8Array> {
    for await (const chunk of reader.export(query)) {
      bytes += chunk.byteLength;
      yield chunk;
    }
  };
  try {
    if (options.output === undefined) {
      await pipeline(Readable.from(counted()), process.stdout, { end: false });
      return;
    }
    await pipeline(Readable.from(counted()), createWriteStream(options.output, { mode: 0o600 }));
    const file = options.output;
    output.answer({ output: file, format: options.format, bytes }, () => `${bytes} bytes in ${file}`);
  } finally {
    await reader.close();
  }
}
