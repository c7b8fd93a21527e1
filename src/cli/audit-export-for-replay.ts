import type { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { ExportReport } from '../replay/tokens/export.ts';
import type { CommandContext } from './program.ts';
import { trafficSource, type TrafficOptions } from './traffic-source.ts';

export interface ForReplayOptions extends TrafficOptions {
  readonly forReplay?: boolean;
  readonly output?: string;
  readonly policy?: string;
  readonly also: readonly string[];
  readonly keyFile?: string;
}

const gather = (value: string, before: readonly string[]): string[] => [...before, value];

/** The options of `castellan audit export --for-replay`. */
export function forReplayOptions(command: Command): Command {
  return command
    .option(
      '--for-replay',
      'decisions with tokens in the place of values, to be replayed where no secret may be: the same value is the same token',
    )
    .option('--from <export>', 'with `--for-replay`: read a file that `castellan audit export --for-replay` wrote')
    .option('--policy <policy>', 'with `--for-replay`: the policy in force, whose literals are kept; default: the one of `--config`')
    .option(
      '--also <policy>',
      'with `--for-replay`: a policy whose literals are kept too, a folder or a Git revision; may be repeated',
      gather,
      [],
    )
    .option('--key-file <file>', 'with `--for-replay`: a secret of 16 bytes or more; exports with the same secret have the same tokens');
}

/** Writes decisions with tokens for their values, to replay where no secret may be. @throws GatewayError `request.invalid` */
export async function exportForReplay({ app, output }: CommandContext, options: ForReplayOptions): Promise<void> {
  const { output: file } = options;
  if (file === undefined)
    throw new GatewayError('request.invalid', 'say where it is written: give `--output`, gzip where the name ends in `.gz`');
  const report = await app.replay.exportForReplay({
    traffic: trafficSource(options, Date.now()),
    output: file,
    also: options.also,
    ...(options.policy === undefined ? {} : { policy: options.policy }),
    ...(options.keyFile === undefined ? {} : { keyFile: options.keyFile }),
  });
  output.answer(report, () => exportText(report, file));
}

function exportText(report: ExportReport, file: string): string {
  const rules = report.unserved_rules.map(({ rule, count }) => `  ${rule}: ${count}`);
  return [
    `${report.decisions} decisions in ${file}: ${report.served} with their input as tokens`,
    ...(report.without_input === 0 ? [] : [`${report.without_input} without: their input is masked or gone`]),
    ...(report.unserved === 0 ? [] : [`${report.unserved} without: these rules decide otherwise on tokens`, ...rules]),
  ].join('\n');
}
