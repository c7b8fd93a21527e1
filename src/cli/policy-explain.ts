import type { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import { explanationText } from '../workshop/explain-text.ts';
import type { CommandContext } from './program.ts';

/** `castellan policy explain`: which rules fired on an input, and what was false in those that did not. */
export function addExplainCommand(policy: Command, { app, output }: CommandContext): void {
  policy
    .command('explain')
    .description('say which rules fired on an input, and the first expression that was false in each that did not')
    .argument('[decision]', 'a recorded decision')
    .option('--input <file>', 'the input document, JSON; `-` is standard input')
    .option('--policy <folder>', 'the rules', 'policies')
    .action(async (decision: string | undefined, { input, policy: folder }: { input?: string; policy: string }) => {
      if (input === undefined) throw new GatewayError('request.invalid', missing(decision));
      const explanation = await app.analysis.explain({ policy: folder, inputFile: input });
      output.answer(explanation, () => explanationText(explanation, folder.replace(/\/+$/, '')));
    });
}

function missing(decision: string | undefined): string {
  if (decision === undefined) return 'nothing to explain; give an input document with `--input`';
  return `the audit record of \`${decision}\` holds the digest of its input, not the input; give the input with \`--input\``;
}
