import { Command } from 'commander';
import type { CommandContext } from './program.ts';

/** `castellan init`: a policy repository that works as it is. */
export function initCommand({ app, output }: CommandContext): Command {
  return new Command('init')
    .description('start a policy repository: configuration, rules, tests, golden cases, schemas and a GitHub workflow')
    .argument('<folder>', 'where; it must not be there yet, or be empty')
    .action(async (folder: string) => {
      const files = await app.authoring.startRepository(folder);
      output.answer({ folder, files }, () =>
        [
          `${files.length} files in \`${folder}\`; next:`,
          '',
          `  cd ${folder}`,
          '  castellan policy check && castellan policy test',
          '  castellan check',
          '',
          'README.md says what is where.',
        ].join('\n'),
      );
    });
}
