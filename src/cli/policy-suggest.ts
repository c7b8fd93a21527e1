import type { Command } from 'commander';
import { headline } from '../replay/report-words.ts';
import { exitCodes } from './exit-codes.ts';
import type { CommandContext } from './program.ts';
import { trafficOptions, trafficSource, type TrafficOptions } from './traffic-source.ts';

interface Options extends TrafficOptions {
  readonly out: string;
  readonly policy?: string;
  readonly tests: string;
}

/** `castellan policy suggest`: the least privilege that recorded traffic needs, as the beginning of a pull request. */
export function addSuggestCommand(policy: Command, { app, output, exit }: CommandContext): void {
  trafficOptions(
    policy.command('suggest').description('write the least privilege that the recorded traffic needs: Rego, data, tests and the replay'),
  )
    .requiredOption('--out <folder>', 'where it is written: a folder that is not there yet')
    .option('--policy <policy>', 'the policy that it is added to: a folder or a Git revision; default: the one of `--config`')
    .option('--tests <folder>', 'the golden cases that are asked too', 'policy-tests')
    .action(async (options: Options) => {
      const answer = await app.replay.suggest({
        traffic: trafficSource(options, Date.now()),
        output: options.out,
        tests: options.tests,
        ...(options.policy === undefined ? {} : { policy: options.policy }),
      });
      const denied = answer.replay.kinds.newly_denied;
      output.answer(answer, () =>
        [
          `${answer.used} tools, prompts and resources of ${answer.calls} calls, in ${options.out}; its ${answer.tests} tests pass`,
          headline(answer.replay),
          ...(answer.changed_cases.length === 0
            ? []
            : [`${answer.changed_cases.length} golden cases answer otherwise; its README.md names them`]),
          denied === 0
            ? 'nothing that went on would be denied'
            : output.paint('red', `${denied} calls that went on would be denied; see replay.html`),
        ].join('\n'),
      );
      if (denied > 0) exit(exitCodes.failed);
    });
}
