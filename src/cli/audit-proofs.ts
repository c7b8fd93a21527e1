import { Command, Option } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { Verification } from './application.ts';
import { AdminClient } from './admin-client.ts';
import { exitCodes } from './exit-codes.ts';
import { visible, type Output } from './output.ts';
import type { CommandContext } from './program.ts';

const serverOption = (): Option => new Option('--server <url>', 'ask a gateway');
const configText = 'use the database of this configuration directly, with or without a gateway running';
const keyText = 'a public key that checkpoints may be signed with, or the file it is in; may be repeated';
const checkpointText = 'a file with a checkpoint that was kept elsewhere; the log must fit it; may be repeated';
const gather = (value: string, before: readonly string[]): string[] => [...before, value];

interface Where {
  readonly server?: string;
  readonly config?: string;
}

interface VerifyOptions extends Where {
  readonly head?: string;
  readonly key: readonly string[];
  readonly checkpoint: readonly string[];
  readonly inputs?: boolean;
}

/** `castellan audit verify`: a database, what a gateway has, or an export file. */
export function auditVerifyCommand({ app, output, exit }: CommandContext): Command {
  return new Command('verify')
    .description('check every hash, the tree and its checkpoints: finds edits, deletions, insertions, reordering, a cut tail, a fork')
    .argument('[export]', 'an export file, which is checked offline with `--key` alone')
    .addOption(serverOption())
    .option('--config <file>', 'check the database of this configuration directly, with no gateway running')
    .option('--head <seq:hash>', 'the head that was noted earlier; a log that does not reach it was cut')
    .option('--key <key>', keyText, gather, [])
    .option('--checkpoint <file>', checkpointText, gather, [])
    .option('--inputs', 'open the sealed inputs too, and compare each with its record: with `--config`')
    .action(async (file: string | undefined, options: VerifyOptions) => {
      const { head, key: keys, checkpoint: checkpoints, config } = options;
      const request = { keys, checkpoints, ...(head === undefined ? {} : { head }) };
      const found =
        file !== undefined
          ? await app.auditProofs.verifyFile(file, request)
          : config !== undefined
            ? await app.auditProofs.verify({ ...request, config, inputs: options.inputs === true }, process.env)
            : await AdminClient.connect(options, process.env).call<Verification>(
                'POST',
                '/audit/verify',
                await app.auditProofs.readGiven(request),
              );
      output.answer(found, () => verificationText(output, found));
      if (!found.ok) exit(exitCodes.failed);
    });
}

/** `castellan audit checkpoint`. */
export function auditCheckpointCommand({ app, output }: CommandContext): Command {
  return new Command('checkpoint')
    .description('sign the log as it is now: the signed note, to be kept somewhere else')
    .addOption(serverOption())
    .option('--config <file>', configText)
    .option('--public-key', 'print the public key that checkpoints are verified with, and nothing else')
    .action(async (options: Where & { publicKey?: boolean }) => {
      const made =
        options.config === undefined
          ? await AdminClient.connect(options, process.env).call<{ note: string; public_key: string }>('POST', '/audit/checkpoint', {})
          : await app.auditProofs.checkpoint(options.config, process.env);
      output.answer(made, () => (options.publicKey === true ? made.public_key : made.note.trimEnd()));
    });
}

/** `castellan audit prove`: an inclusion proof, or with `--from` a consistency proof. */
export function auditProveCommand({ app, output }: CommandContext): Command {
  return new Command('prove')
    .description('prove that a record is in the log, or with `--from` that the log begins with what it was earlier')
    .argument('[seq]', 'the number of the record')
    .option('--from <records>', 'the size of the earlier log')
    .option('--to <records>', 'the size of the later log; default: that of the latest checkpoint')
    .addOption(serverOption())
    .option('--config <file>', configText)
    .action(async (seq: string | undefined, options: Where & { from?: string; to?: string }) => {
      if ((seq === undefined) === (options.from === undefined))
        throw new GatewayError('request.invalid', 'name either a record or, with `--from`, an earlier size');
      const { config } = options;
      const client = config === undefined ? AdminClient.connect(options, process.env) : undefined;
      const proof =
        seq !== undefined
          ? ((await client?.call('GET', `/audit/proof?seq=${whole(seq)}`)) ??
            (await app.auditProofs.inclusion(config ?? '', process.env, whole(seq))))
          : await consistency(whole(options.from ?? ''), options.to === undefined ? undefined : whole(options.to));
      output.answer(proof, () => JSON.stringify(proof, null, 2));
      function consistency(from: number, to: number | undefined): Promise<unknown> {
        if (client === undefined) return app.auditProofs.consistency(config ?? '', process.env, from, to);
        return client.call('GET', `/audit/consistency?from=${from}${to === undefined ? '' : `&to=${to}`}`);
      }
    });
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new GatewayError('request.invalid', `\`${text}\` must be a whole number`);
}

function verificationText(output: Output, found: Verification): string {
  if (!found.ok) {
    const line = found.line === undefined ? '' : ` (line ${found.line})`;
    const advice = found.advice === undefined ? '' : `\n  ${visible(found.advice)}`;
    return `${output.paint('red', 'broken')} at record ${found.at ?? 0}${line}: ${visible(found.problem ?? '')}${advice}`;
  }
  const { records = 0, checkpoints = 0, headSeq = 0, headHash, removed = 0, unsigned = 0, inputs = 0, selection = false } = found;
  const parts = [
    `${records} records`,
    ...(headHash === undefined ? [] : [`head ${headSeq}:${headHash}`]),
    `${checkpoints} checkpoint${checkpoints === 1 ? ' fits' : 's fit'}${found.signed === false ? ' (signatures not checked: give `--key`)' : ''}`,
    ...(inputs > 0 ? [`${inputs} inputs are those that were decided on`] : []),
    ...(removed > 0 ? [`the text of ${removed} was removed`] : []),
    ...(unsigned > 0 ? [`the last ${unsigned} are after the last checkpoint`] : []),
    ...(selection ? ['they were picked: there may be others'] : []),
  ];
  return `${output.paint('green', 'whole')}: ${parts.join(', ')}`;
}
