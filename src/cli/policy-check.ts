import type { Command } from 'commander';
import type { LintFinding } from './authoring-tools.ts';
import type { PolicyFault, PolicyFolders } from './application.ts';
import { exitCodes } from './exit-codes.ts';
import { policyFolders } from './policy-folders.ts';
import type { CommandContext } from './program.ts';
import { sourceLine } from './source-line.ts';

/** `castellan policy check`: OPA's own checks, then the lints over what compiles. */
export function addCheckCommand(policy: Command, { app, output, exit }: CommandContext): void {
  policyFolders(policy.command('check').description('compile strictly, against the schemas and the capabilities, and run the lints'))
    .option('--disable <lint>', 'switch a lint off; may be given again', (id: string, ids: string[]) => [...ids, id], [])
    .option('--lint-file <file>', 'settings of the lints; else `.castellan-lint.yaml` in the policy folder or beside it')
    .option('--list', 'say which lints there are, and check nothing')
    .action(async (options: PolicyFolders & { disable: string[]; lintFile?: string; list?: boolean }) => {
      if (options.list === true) {
        const lints = await app.authoring.lints();
        output.answer({ lints }, () =>
          output.table(
            ['lint', 'what it asks'],
            lints.map(({ lint, title }) => [lint, title]),
          ),
        );
        return;
      }
      const { errors, files, findings } = await app.authoring.check(options);
      const failing = findings.filter(({ level }) => level === 'error').length;
      const ok = errors.length + failing === 0;
      output.answer({ ok, files, errors, findings }, () =>
        [
          ...errors.map(faultText),
          ...findings.map((finding) => findingText(finding, (text) => output.paint(finding.level === 'error' ? 'red' : 'yellow', text))),
          ...(ok ? [`${files} files are good`] : []),
        ].join('\n'),
      );
      if (!ok) exit(exitCodes.failed);
    });
}

/** A fault with the line that it is in, where OPA did not quote it already. */
export function faultText({ text, file, row, col, details }: PolicyFault): string {
  if (file === undefined || row === undefined || col === undefined || details !== undefined) return text;
  return `${text}${sourceLine(file, row, col)}`;
}

function findingText({ lint, level, file, row, col, message, cure }: LintFinding, paint: (text: string) => string): string {
  return `${file}:${row}:${col}: ${paint(`${level} ${lint}`)}: ${message}${sourceLine(file, row, col)}\n  cure: ${cure}`;
}
