import { writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import type { ReceiptFindings, ReceiptSummary } from './application.ts';
import { AdminClient } from './admin-client.ts';
import { exitCodes } from './exit-codes.ts';
import { visible, type Output } from './output.ts';
import type { CommandContext } from './program.ts';

interface WriteOptions {
  readonly server?: string;
  readonly config?: string;
  readonly output?: string;
  readonly input: boolean;
}

/** `castellan audit receipt`. */
export function auditReceiptCommand({ app, output }: CommandContext): Command {
  return new Command('receipt')
    .description('write all that proves what was decided about a call into one file')
    .argument('<call>', 'the id of the call, as its answer and its records have it')
    .addOption(new Option('--server <url>', 'ask a gateway'))
    .option('--config <file>', 'use the database of this configuration directly, with or without a gateway running')
    .option('--output <file>', 'the file; default: `<call>.receipt.json`')
    .option('--no-input', 'leave out the inputs: then that the record is genuine can be checked, and that the decision follows cannot')
    .action(async (call: string, options: WriteOptions) => {
      const receipt =
        options.config === undefined
          ? await AdminClient.connect(options, process.env).call<ReceiptSummary>(
              'GET',
              `/audit/receipt/${encodeURIComponent(call)}${options.input ? '' : '?inputs=false'}`,
            )
          : await app.receipts.write(options.config, process.env, call, options.input);
      const file = options.output ?? `${call.replace(/[^A-Za-z0-9._-]+/g, '-')}.receipt.json`;
      await writeFile(file, `${JSON.stringify(receipt)}\n`);
      const { records, releases } = receipt;
      const inputs = records.filter((one) => one.input !== undefined).length;
      const summary = { file, call: receipt.call, records: records.length, inputs, releases: releases.map((one) => one.id) };
      output.answer(
        summary,
        () => `${file}: ${records.length} records, ${inputs} inputs, ${releases.map((one) => one.id).join(', ') || 'no compiled policy'}`,
      );
    });
}

/** `castellan audit check-receipt`. */
export function auditCheckReceiptCommand({ app, output, exit }: CommandContext): Command {
  return new Command('check-receipt')
    .description('check a receipt offline: signature, proofs, inputs, and the decision, which the very module makes again')
    .argument('<file>', 'the receipt')
    .option(
      '--key <key>',
      'a public key that checkpoints may be signed with, or the file it is in; may be repeated',
      (one, before: string[]) => [...before, one],
      [],
    )
    .action(async (file: string, options: { key: string[] }) => {
      const found = await app.receipts.check(file, options.key);
      output.answer(found, () => checkText(output, found));
      if (!found.ok) exit(exitCodes.failed);
    });
}

function checkText(output: Output, { ok, call, findings }: ReceiptFindings): string {
  const mark = (holds: boolean | null): string =>
    holds === null ? output.paint('yellow', 'not checked') : holds ? output.paint('green', 'holds') : output.paint('red', 'does not hold');
  const lines = findings.map(({ what, holds, detail }) => `  ${visible(what)}: ${mark(holds)}, ${visible(detail)}`);
  const open = findings.filter((one) => one.holds === null).length;
  const verdict = ok
    ? `${output.paint('green', 'good')}: call ${visible(call)}${open === 0 ? '' : `, as far as could be checked (${open} could not)`}`
    : `${output.paint('red', 'not good')}: call ${visible(call)}`;
  return [verdict, ...lines].join('\n');
}
