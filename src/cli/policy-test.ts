import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { Difference, TestOptions, TestReport } from './authoring-tools.ts';
import type { PolicyFolders } from './application.ts';
import { exitCodes } from './exit-codes.ts';
import { junitReport } from './junit-report.ts';
import { policyFolders } from './policy-folders.ts';
import type { CommandContext } from './program.ts';

interface Options extends PolicyFolders {
  readonly run?: string;
  readonly coverage?: boolean;
  readonly threshold?: string;
  readonly verbose?: boolean;
  readonly failOnEmpty?: boolean;
  readonly junit?: string;
  readonly watch?: boolean;
  readonly oneEngine?: boolean;
}

/** `castellan policy test`: what `opa test` says and exits with, and both engines on every golden case and test. */
export function addTestCommand(policy: Command, { app, output, exit }: CommandContext): void {
  const once = async (options: Options): Promise<void> => {
    const asked = testOptions(options);
    let report: TestReport;
    try {
      report = await app.authoring.test(asked);
    } catch (error) {
      // As stock OPA does where the files do not compile: its words alone on standard error, and exit code 1.
      if (output.json || !(error instanceof GatewayError) || error.code !== 'policy.invalid') throw error;
      output.note(error.message);
      exit(exitCodes.failed);
      return;
    }
    if (options.junit !== undefined) writeReport(options.junit, junitReport(report));
    const lines = [report.text.trimEnd(), ...report.engines.differences.map(differenceText)].filter((line) => line !== '');
    if (output.json || lines.length > 0) output.answer(report, () => lines.join('\n'));
    // Such as coverage below the threshold: stock OPA says it on standard error.
    if (report.message !== undefined && !output.json) output.note(report.message);
    if (options.verbose === true && !output.json) output.note(enginesText(report));
    exit(report.exit_code);
  };

  policyFolders(policy.command('test').description('run the tests as `opa test` does, with its exit codes, and both engines on them'))
    .option('--run <pattern>', 'only tests whose name matches (RE2), and no golden cases')
    .option('--coverage', 'report which lines no test reaches')
    .option('--threshold <percent>', 'fail below this coverage')
    .option('--verbose', 'list every test')
    .option('--fail-on-empty', 'fail where there is no test')
    .option('--junit <file>', 'write a JUnit report as well')
    .option('--watch', 'run again after each change, until it is interrupted')
    .option('--one-engine', 'ask OPA’s interpreter alone, as `opa test` does')
    .action(async (options: Options) => {
      if (options.watch !== true) {
        await once(options);
        return;
      }
      const ending = new AbortController();
      const end = (): void => ending.abort();
      process.once('SIGINT', end).once('SIGTERM', end);
      try {
        await app.authoring.watch(options, ending.signal, async () => {
          try {
            await once(options);
          } catch (error) {
            // What is wrong now may be right after the next edit.
            if (!(error instanceof GatewayError)) throw error;
            output.error(error.code, error.message);
            exit(exitCodes.failed);
          }
          if (!ending.signal.aborted) output.note('waiting for a change');
        });
      } finally {
        process.off('SIGINT', end).off('SIGTERM', end);
      }
    });
}

function testOptions({ threshold, ...options }: Options): TestOptions {
  if (threshold === undefined) return options;
  const percent = threshold.trim() === '' ? Number.NaN : Number(threshold);
  if (!(percent >= 0 && percent <= 100)) throw new GatewayError('request.invalid', '`--threshold` must be a percentage, 0 to 100');
  return { ...options, threshold: percent };
}

function writeReport(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new GatewayError('request.invalid', `\`${file}\` cannot be written; give a file in a folder that is there`, { cause });
  }
}

/** What the engines said of one case or test. */
export function differenceText({ kind, name, file, interpreter, wasm, expected }: Difference): string {
  const lines = [`ENGINES DIFFER: ${kind} \`${name}\` (${file})`, `  interpreter: ${interpreter}`, `  wasm:        ${wasm}`];
  if (expected !== undefined && (expected !== interpreter || expected !== wasm)) lines.push(`  expected:    ${expected}`);
  if (interpreter === wasm) lines[0] = `GOLDEN CASE FAILS: \`${name}\` (${file})`;
  return lines.join('\n');
}

function enginesText({ engines: { cases, tests, differences, note } }: TestReport): string {
  const agreed = differences.length === 0 ? 'both engines agree' : `${differences.length} differences between the engines or from a case`;
  return `${agreed}: ${cases} golden cases, ${tests} tests${note === undefined ? '' : `; ${note}`}`;
}
