import { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import { driftLines, driftText } from './drift-text.ts';
import { exitCodes } from './exit-codes.ts';
import type { LockAnswer } from './integrity-tools.ts';
import type { Output } from './output.ts';
import type { CommandContext } from './program.ts';

interface Options {
  readonly config: string;
  readonly diff?: boolean;
  readonly check?: boolean;
  readonly update?: readonly string[];
  readonly instructions?: readonly string[];
}

/** `castellan lock`: writes down what the servers say of their tools, or compares. */
export function lockCommand({ app, output, exit }: CommandContext): Command {
  return new Command('lock')
    .description('write the lockfile: the definitions of all tools, and the instructions, as the servers give them now')
    .option('--config <file>', 'the configuration', 'castellan.yaml')
    .option('--diff', 'write nothing; show what changed since the lockfile, word by word')
    .option('--check', 'write nothing; one line for each change')
    .option('--update <entries...>', 'take over these alone: `server/tool`, or `server` for all that it has')
    .option('--instructions <servers...>', 'take over the instructions of these servers')
    .action(async ({ config, diff, check, update, instructions }: Options) => {
      const isComparison = diff === true || check === true;
      if (isComparison && (update !== undefined || instructions !== undefined))
        throw new GatewayError('request.invalid', '`--diff` and `--check` write nothing; leave `--update` and `--instructions` out');
      const answer = await app.integrity.lock({
        configPath: config,
        env: process.env,
        write: !isComparison,
        ...(update === undefined ? {} : { update }),
        ...(instructions === undefined ? {} : { instructions }),
      });
      output.answer(answer, () => (isComparison ? comparisonText(output, answer, diff === true) : writtenText(output, answer)));
      if (isComparison && answer.drift.length > 0) exit(exitCodes.failed);
    });
}

function comparisonText(output: Output, { path, drift, tools, servers }: LockAnswer, isWhole: boolean): string {
  if (drift.length === 0) return `${tools} tools of ${servers} servers are as \`${path}\` has them`;
  return isWhole ? driftText(output, drift) : driftLines(output, drift);
}

function writtenText(output: Output, { path, taken, drift, tools, servers }: LockAnswer): string {
  const left = drift.length - taken.length;
  const rest = left === 0 ? '' : `; ${left} ${left === 1 ? 'change is' : 'changes are'} not taken over`;
  const head = `${path}: ${tools} tools of ${servers} servers${rest}`;
  return taken.length === 0 ? `${head}; nothing changed` : `${driftLines(output, taken)}\n${head}`;
}
