import { Command } from 'commander';
import type { PolicyFolders } from './application.ts';
import { addAssertCommand } from './policy-assert.ts';
import { addCoverageCommand } from './policy-coverage.ts';
import { exitCodes } from './exit-codes.ts';
import { addBenchCommand } from './policy-bench.ts';
import { addCheckCommand } from './policy-check.ts';
import { addDocCommand } from './policy-doc.ts';
import { addEvalCommand } from './policy-eval.ts';
import { addExplainCommand } from './policy-explain.ts';
import { addFmtCommand } from './policy-fmt.ts';
import { policyFolders } from './policy-folders.ts';
import { addMatrixCommand } from './policy-matrix.ts';
import { addSuggestCommand } from './policy-suggest.ts';
import { addTestCommand, differenceText } from './policy-test.ts';
import type { CommandContext } from './program.ts';

const commands = [
  addCheckCommand,
  addTestCommand,
  addFmtCommand,
  addEvalCommand,
  addBuildCommand,
  addDocCommand,
  addBenchCommand,
  addExplainCommand,
  addMatrixCommand,
  addAssertCommand,
  addCoverageCommand,
  addSuggestCommand,
];

/** `castellan policy …`: what an author of policy does, with the OPA that runs inside. */
export function policyCommand(context: CommandContext): Command {
  const policy = new Command('policy').description('check, test, format, evaluate, build and describe Rego with the OPA that runs inside');
  for (const add of commands) add(policy, context);
  return policy;
}

function addBuildCommand(policy: Command, { app, output, exit }: CommandContext): void {
  policyFolders(policy.command('build').description('compile to one WASM module with its data, as the gateway evaluates it'))
    .requiredOption('--output <folder>', 'where `policy.wasm`, `data.json` and `release.json` are written')
    .action(async (options: PolicyFolders & { output: string }) => {
      const differences = await app.authoring.compareCases(options);
      if (differences.length > 0) {
        output.answer({ differences }, () => [...differences.map(differenceText), 'nothing was written'].join('\n'));
        exit(exitCodes.failed);
        return;
      }
      const built = await app.policy.build(options, options.output);
      output.answer(built, () => `release ${built.release} (${built.digest}), ${built.wasm_bytes} bytes of WASM, in ${options.output}`);
    });
}
