import type { Command } from 'commander';
import type { Proof } from '../workshop/prove.ts';
import { exitCodes } from './exit-codes.ts';
import type { CommandContext } from './program.ts';
import { toolSource, toolSourceOptions, type ToolSourceOptions } from './tool-source.ts';

/** `castellan policy assert`: proves statements about the policy, or shows the input that breaks them. */
export function addAssertCommand(policy: Command, { app, output, exit }: CommandContext): void {
  toolSourceOptions(policy.command('assert').description('prove statements about the policy, or print the input that breaks them'))
    .argument('<file>', 'the statements, YAML')
    .option('--policy <folder>', 'the rules', 'policies')
    .action(async (file: string, options: ToolSourceOptions & { readonly policy: string }) => {
      const proofs = await app.analysis.prove({ policy: options.policy, statementsFile: file, source: toolSource(options) });
      output.answer({ statements: proofs }, () => proofs.map((proof) => proofText(proof, output)).join('\n'));
      if (proofs.some(({ outcome }) => outcome === 'broken')) exit(exitCodes.failed);
      else if (proofs.some(({ outcome }) => outcome === 'unknown')) exit(exitCodes.undecided);
    });
}

const colours = { holds: 'green', broken: 'red', unknown: 'yellow' } as const;
const maxOpen = 10;

function proofText({ name, outcome, tools, counterexample, open }: Proof, output: CommandContext['output']): string {
  const lines = [`${output.paint(colours[outcome], outcome)}  ${name}  (${tools} ${tools === 1 ? 'tool' : 'tools'})`];
  if (counterexample !== undefined) {
    const { server, tool, effect, input } = counterexample;
    lines.push(`  ${server}/${tool} is answered ${effect} for this input:`, JSON.stringify(input));
  }
  for (const { server, tool, effect, words } of open.slice(0, maxOpen)) {
    lines.push(
      effect === null
        ? `  ${server === '' ? '' : `${server}/${tool}: `}${words}`
        : `  ${server}/${tool}: ${effect} could be neither excluded nor shown: when ${words}`,
    );
  }
  if (open.length > maxOpen) lines.push(`  and ${open.length - maxOpen} more`);
  return lines.join('\n');
}
