import type { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { PolicyFolders } from './application.ts';
import { policyFolders } from './policy-folders.ts';
import type { CommandContext } from './program.ts';

/** `castellan policy bench`: how long a decision takes, on the golden cases, through a worker of the engine. */
export function addBenchCommand(policy: Command, { app, output }: CommandContext): void {
  policyFolders(policy.command('bench').description('measure decisions on the golden cases, through a worker of the WASM engine'))
    .option('--count <number>', 'evaluations of each case', '200')
    .action(async ({ count, ...folders }: PolicyFolders & { count: string }) => {
      const times = Number(count);
      if (!Number.isInteger(times) || times < 1 || times > 1_000_000)
        throw new GatewayError('request.invalid', '`--count` must be a whole number, 1 to 1000000');
      const report = await app.authoring.bench({ ...folders, count: times });
      output.answer(report, () =>
        output.table(
          ['golden cases', 'cases', 'input', 'p50', 'p99'],
          report.sets.map((row) => [row.set, String(row.cases), `${row.input_bytes} B`, `${row.p50_us} µs`, `${row.p99_us} µs`]),
        ),
      );
    });
}
