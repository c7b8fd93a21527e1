import { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { ExportReport } from '../replay/tokens/export.ts';
import type { CommandContext } from './program.ts';
import { trafficOptions, trafficSource, type TrafficOptions } from './traffic-source.ts';

interface Options extends TrafficOptions {
  readonly forReplay?: boolean;
  readonly output: string;
  readonly policy?: string;
  readonly also: readonly string[];
  readonly keyFile?: string;
}

const gather = (value: string, before: readonly string[]): string[] => [...before, value];

/** `castellan audit export --for-replay`: decisions with tokens for their values, to replay where no secret may be. */
export function auditExportCommand({ app, output }: CommandContext): Command {
  return trafficOptions(
    new Command('export').description('write decisions on record to a file that holds no secrets, to be replayed elsewhere'),
  )
    .option('--for-replay', 'with tokens in the place of values: the same value is the same token')
    .requiredOption('--output <file>', 'where it is written; gzip where the name ends in `.gz`')
    .option('--policy <policy>', 'the policy in force, whose literals are kept; default: the one of `--config`')
    .option('--also <policy>', 'a policy whose literals are kept too: a folder or a Git revision; may be repeated', gather, [])
    .option('--key-file <file>', 'a secret of 16 bytes or more: exports with the same secret have the same tokens')
    .action(async (options: Options) => {
      if (options.forReplay !== true) throw new GatewayError('request.invalid', 'say what the export is for: `--for-replay`');
      const report = await app.replay.exportForReplay({
        traffic: trafficSource(options, Date.now()),
        output: options.output,
        also: options.also,
        ...(options.policy === undefined ? {} : { policy: options.policy }),
        ...(options.keyFile === undefined ? {} : { keyFile: options.keyFile }),
      });
      output.answer(report, () => exportText(report, options.output));
    });
}

function exportText(report: ExportReport, file: string): string {
  const rules = report.unserved_rules.map(({ rule, count }) => `  ${rule}: ${count}`);
  return [
    `${report.decisions} decisions in ${file}: ${report.served} with their input as tokens`,
    ...(report.without_input === 0 ? [] : [`${report.without_input} without: their input is masked or gone`]),
    ...(report.unserved === 0 ? [] : [`${report.unserved} without: these rules decide otherwise on tokens`, ...rules]),
  ].join('\n');
}
