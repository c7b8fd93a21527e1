import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { PolicyFolders } from './application.ts';
import { exitCodes } from './exit-codes.ts';
import { policyFolders } from './policy-folders.ts';
import type { CommandContext } from './program.ts';

/** `castellan policy doc`: the catalogue of the rules, from their METADATA. */
export function addDocCommand(policy: Command, { app, output, exit }: CommandContext): void {
  policyFolders(policy.command('doc').description('write a catalogue of the rules, as Markdown'))
    .option('--output <file>', 'where it is written; else standard output')
    .option('--check', 'write nothing; exit 1 when `--output` is not what would be written')
    .action(async (options: PolicyFolders & { output?: string; check?: boolean }) => {
      const { output: file, check } = options;
      if (check === true && file === undefined)
        throw new GatewayError('request.invalid', '`--check` needs `--output <file>` to compare with');
      const markdown = await app.authoring.catalogue(options);
      if (file === undefined) {
        output.answer({ markdown }, () => markdown.trimEnd());
        return;
      }
      const same = textOf(file) === markdown;
      if (check !== true && !same) await app.authoring.write(file, markdown);
      output.answer({ file, changed: !same }, () => {
        if (same) return `\`${file}\` is up to date`;
        return check === true ? `\`${file}\` is not up to date; run \`castellan policy doc --output ${file}\`` : `wrote \`${file}\``;
      });
      if (check === true && !same) exit(exitCodes.failed);
    });
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // It is not there yet, or is no file: writing it says so.
  }
}
