import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import { exitCodes } from './exit-codes.ts';
import type { Application, PolicyFault, PolicyFolders } from './application.ts';
import type { CommandContext } from './program.ts';

/** `castellan policy build|test|check|fmt`: OPA's own tools, with nothing to install. */
export function policyCommand({ app, output, exit }: CommandContext): Command {
  const command = new Command('policy').description('build, test, check and format Rego with the OPA that runs inside');
  const sub = (name: string, about: string): Command =>
    command
      .command(name)
      .description(about)
      .option('--policy <folder>', 'the rules', 'policies')
      .option('--tests <folder>', 'their tests', 'policy-tests');

  sub('check', 'compile strictly, against the schemas and the capabilities').action(async (folders: PolicyFolders) => {
    const { errors, files } = await app.policy.check(folders);
    output.answer({ ok: errors.length === 0, files, errors }, () =>
      errors.length === 0 ? `${files} files are good` : errors.map(faultText).join('\n'),
    );
    if (errors.length > 0) exit(exitCodes.failed);
  });

  sub('test', 'run the tests as `opa test` does, with its exit codes')
    .option('--run <pattern>', 'only tests whose name matches (RE2)')
    .option('--coverage', 'report which lines no test reaches')
    .option('--threshold <percent>', 'fail below this coverage')
    .option('--verbose', 'list every test')
    .action(async (options: PolicyFolders & { run?: string; coverage?: boolean; threshold?: string; verbose?: boolean }) => {
      if (options.threshold !== undefined && !(Number(options.threshold) >= 0 && Number(options.threshold) <= 100))
        throw new GatewayError('request.invalid', '`--threshold` must be a percentage, 0 to 100');
      const answer = await testOrFault(app, output, options);
      if (answer === undefined) {
        exit(exitCodes.failed);
        return;
      }
      output.answer(answer, () => answer.text.trimEnd());
      exit(answer.exit_code);
    });

  sub('fmt', 'format in place; with --check only say which files differ')
    .option('--check', 'change nothing; exit 1 when a file is not formatted')
    .action(async (options: PolicyFolders & { check?: boolean }) => {
      const { changed, errors } = await app.policy.format(options, options.check !== true);
      output.answer(
        { changed, errors },
        () =>
          [...errors, ...changed.map((file) => (options.check === true ? `not formatted: ${file}` : `formatted ${file}`))].join('\n') ||
          'nothing to format',
      );
      if (errors.length > 0 || (options.check === true && changed.length > 0)) exit(exitCodes.failed);
    });

  sub('build', 'compile to one WASM module with its data, as the gateway evaluates it')
    .requiredOption('--output <folder>', 'where `policy.wasm`, `data.json` and `release.json` are written')
    .action(async (options: PolicyFolders & { output: string }) => {
      const built = await app.policy.build(options, options.output);
      output.answer(built, () => `release ${built.release} (${built.digest}), ${built.wasm_bytes} bytes of WASM, in ${options.output}`);
    });
  return command;
}

/** As stock OPA does where the files do not compile: its words alone on standard error, and exit code 1. */
async function testOrFault(
  app: Application,
  output: CommandContext['output'],
  options: Parameters<Application['policy']['test']>[0],
): Promise<Awaited<ReturnType<Application['policy']['test']>> | undefined> {
  try {
    return await app.policy.test(options);
  } catch (error) {
    if (output.json || !(error instanceof GatewayError) || error.code !== 'policy.invalid') throw error;
    output.note(error.message);
    return undefined;
  }
}

/** A fault with the line that it is in, where OPA did not quote it already. */
function faultText({ text, file, row, col, details }: PolicyFault): string {
  if (file === undefined || row === undefined || col === undefined || details !== undefined) return text;
  const line = lineOf(file, row);
  if (line === undefined) return text;
  const before = Buffer.from(line)
    .subarray(0, col - 1)
    .toString();
  // Tabs stay tabs, so that the mark stands below its column whatever their width.
  return `${text}\n  ${line}\n  ${before.replace(/[^\t]/g, ' ')}^`;
}

function lineOf(file: string, row: number): string | undefined {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)[row - 1];
  } catch {
    return undefined; // A folder outside this one is shown by its name alone: the fault is told without its line.
  }
}
