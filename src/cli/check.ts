import { Command } from 'commander';
import { exitCodes } from './exit-codes.ts';
import type { CommandContext } from './program.ts';

/** `castellan check`: the configuration and the policy it names, without starting anything. */
export function checkCommand({ app, output, exit }: CommandContext): Command {
  return new Command('check')
    .description('check the configuration and the policy that it names; nothing is started')
    .requiredOption('--config <file>', 'the configuration', 'castellan.yaml')
    .action(async (options: { config: string }) => {
      const found = await app.checkSetup(options.config, process.env);
      output.answer(found, () =>
        found.problems.length === 0
          ? `${output.paint('green', 'good')}: ${many(found.upstreams, 'upstream')}, ${many(found.endpoints, 'endpoint')}, policy ${found.release ?? ''}, ${many(found.tests, 'policy test')} passed`
          : found.problems.join('\n'),
      );
      if (found.problems.length > 0) exit(exitCodes.failed);
    });
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
