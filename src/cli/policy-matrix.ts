import { Option, type Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import { matrixHtml } from '../workshop/matrix-html.ts';
import { changesText, matrixCsv, matrixText } from '../workshop/matrix-text.ts';
import type { CellChange, Matrix } from '../workshop/matrix.ts';
import type { CommandContext } from './program.ts';
import { toolSource, toolSourceOptions, type ToolSourceOptions } from './tool-source.ts';

interface Options extends ToolSourceOptions {
  readonly policy: string;
  readonly roles?: string;
  readonly format: 'text' | 'csv' | 'json' | 'html';
  readonly output?: string;
  readonly diff?: readonly string[];
}

/** `castellan policy matrix`: who may do what, for all arguments. */
export function addMatrixCommand(policy: Command, context: CommandContext): void {
  const { app } = context;
  toolSourceOptions(policy.command('matrix').description('who may do what: every role with every tool, for all arguments'))
    .option('--policy <folder>', 'the rules', 'policies')
    .option('--roles <file>', 'the roles, JSON or YAML: name to groups; without it one for each group of data.grants')
    .addOption(new Option('--format <form>', 'the form of the answer').choices(['text', 'csv', 'json', 'html']).default('text'))
    .option('--output <file>', 'write it there')
    .option('--diff <revisions...>', 'what changes between two revisions: folders, or Git revisions of the policy folder')
    .action(async (options: Options) => {
      const question = {
        policy: options.policy,
        source: toolSource(options),
        ...(options.roles === undefined ? {} : { rolesFile: options.roles }),
      };
      if (options.diff === undefined) {
        await answer(context, options, await app.analysis.matrix(question));
        return;
      }
      const [before, after, ...more] = options.diff;
      if (before === undefined || after === undefined || more.length > 0)
        throw new GatewayError('request.invalid', '`--diff` takes two revisions');
      const changed = await app.analysis.diff({ ...question, revisions: [before, after] });
      await answer(context, options, changed.after, changed.changes);
    });
}

async function answer({ app, output }: CommandContext, options: Options, matrix: Matrix, changes?: readonly CellChange[]): Promise<void> {
  const value = changes === undefined ? matrix : { changes };
  const text = (): string => rendered(options.format, matrix, changes, (headings, rows) => output.table(headings, rows));
  if (options.output === undefined) {
    output.answer(value, text);
    return;
  }
  await app.analysis.write(options.output, `${text()}\n`);
  output.answer({ written: options.output }, () => `written to ${options.output ?? ''}`);
}

function rendered(
  format: Options['format'],
  matrix: Matrix,
  changes: readonly CellChange[] | undefined,
  table: Parameters<typeof matrixText>[1],
): string {
  switch (format) {
    case 'text':
      return changes === undefined ? matrixText(matrix, table) : changesText(changes);
    case 'csv':
      if (changes !== undefined) throw new GatewayError('request.invalid', 'a difference has no CSV form; use text, json or html');
      return matrixCsv(matrix);
    case 'json':
      return JSON.stringify(changes === undefined ? matrix : { changes }, null, 2);
    case 'html':
      return matrixHtml(matrix, changes === undefined ? 'Who may do what' : 'What changes', changes).trimEnd();
    default:
      return format satisfies never;
  }
}
