import type { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import { AdminClient } from './admin-client.ts';
import { explanationText } from '../workshop/explain-text.ts';
import type { CommandContext } from './program.ts';

interface Options {
  readonly input?: string;
  readonly policy?: string;
  readonly config?: string;
  readonly from?: string;
  readonly server?: string;
}

/** `castellan policy explain`: which rules fired on an input, and what was false in those that did not. */
export function addExplainCommand(policy: Command, context: CommandContext): void {
  policy
    .command('explain')
    .description('say which rules fired on an input, and the first expression that was false in each that did not')
    .argument('[decision]', 'a recorded decision: the id of its call')
    .option('--input <file>', 'the input document, JSON; `-` is standard input')
    .option('--config <file>', 'find the decision in the database of this configuration')
    .option('--from <export>', 'find the decision in a file that `castellan audit export --for-replay` wrote')
    .option('--server <url>', 'ask this gateway for the decision; default: the one you are signed in at')
    .option(
      '--policy <folder>',
      'the rules; for a decision also a bundle or a Git revision; default: for a decision the release that made it, else `policies`',
    )
    .action(async (decision: string | undefined, options: Options) => explain(context, decision, options));
}

async function explain({ app, output }: CommandContext, decision: string | undefined, options: Options): Promise<void> {
  const { input, policy, config, from } = options;
  const show = (explanation: Parameters<typeof explanationText>[0], folder: string): void =>
    output.answer(explanation, () => explanationText(explanation, folder.replace(/\/+$/, '')));
  if (input !== undefined) {
    const folder = policy ?? 'policies';
    show(await app.analysis.explain({ policy: folder, inputFile: input }), folder);
    return;
  }
  if (decision === undefined) throw new GatewayError('request.invalid', 'nothing to explain; give an input document with `--input`');
  if (config !== undefined && from !== undefined)
    throw new GatewayError('request.invalid', `say where \`${decision}\` is on record: give \`--config\` or \`--from\``);
  if (config === undefined && from === undefined) {
    if (policy !== undefined)
      throw new GatewayError(
        'request.invalid',
        'a gateway explains by the release that decided; with `--policy` give `--config` or `--from`',
      );
    const client = AdminClient.connect(options.server === undefined ? {} : { server: options.server }, process.env);
    show(await client.call('GET', `/audit/explain/${encodeURIComponent(decision)}`), 'policies');
    return;
  }
  const traffic = { ...(config === undefined ? {} : { configPath: config }), ...(from === undefined ? {} : { from }), env: process.env };
  show(await app.replay.explain({ traffic, decision, ...(policy === undefined ? {} : { policy }) }), policy ?? 'policies');
}
