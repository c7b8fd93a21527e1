import type { Command } from 'commander';
import type { PolicyFolders } from './application.ts';
import { exitCodes } from './exit-codes.ts';
import { faultText } from './policy-check.ts';
import { policyFolders } from './policy-folders.ts';
import type { CommandContext } from './program.ts';

/** `castellan policy fmt`: as `opa fmt -w`, with `--check` as `opa fmt --fail --list`, with `--diff` as `opa fmt -d`. */
export function addFmtCommand(policy: Command, { app, output, exit }: CommandContext): void {
  policyFolders(policy.command('fmt').description('format in place; with --check or --diff only say what differs'))
    .option('--check', 'change nothing; exit 1 when a file is not formatted')
    .option('--diff', 'change nothing; show what would change')
    .action(async (options: PolicyFolders & { check?: boolean; diff?: boolean }) => {
      const writes = options.check !== true && options.diff !== true;
      const { files, errors } = await app.authoring.format(options);
      if (writes) for (const { path, after } of files) await app.authoring.write(path, after);
      const changed = files.map(({ path }) => path);
      output.answer(
        {
          changed,
          errors: errors.map(({ text }) => text),
          ...(options.diff === true ? { diff: files.map(({ diff }) => diff).join('') } : {}),
        },
        () => {
          const told = files.map(({ path, diff }) =>
            options.diff === true ? diff.trimEnd() : writes ? `formatted ${path}` : `not formatted: ${path}`,
          );
          return [...errors.map(faultText), ...told].join('\n') || 'nothing to format';
        },
      );
      if (errors.length > 0 || (options.check === true && changed.length > 0)) exit(exitCodes.failed);
    });
}
