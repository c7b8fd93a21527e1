import type { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import { coverageText } from '../replay/coverage-text.ts';
import { visible } from './output.ts';
import type { CommandContext } from './program.ts';
import { trafficOptions, trafficSource, type TrafficOptions } from './traffic-source.ts';

interface Options extends TrafficOptions {
  readonly policy?: string;
  readonly sample: string;
}

/** `castellan policy coverage`: which rules, lines and grants the recorded traffic touched. */
export function addCoverageCommand(policy: Command, { app, output }: CommandContext): void {
  trafficOptions(
    policy.command('coverage').description('which rules, lines and grants no recorded call touched, and which tools no rule names'),
  )
    .option('--policy <policy>', 'a folder, a bundle of Rego or a Git revision; default: the one of `--config`')
    .option('--sample <number>', 'how many kinds of decisions are evaluated line by line, the most frequent first', '500')
    .action(async (options: Options) => {
      if (!/^[1-9]\d{0,4}$/.test(options.sample)) throw new GatewayError('request.invalid', '`--sample` must be a number, 1 to 99999');
      const found = await app.replay.coverage({
        traffic: trafficSource(options, Date.now()),
        maxClasses: Number(options.sample),
        ...(options.policy === undefined ? {} : { policy: options.policy }),
      });
      output.answer(found, () => coverageText(found, (headings, rows) => output.table(headings, rows), visible));
    });
}
