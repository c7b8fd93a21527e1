import { Option, type Command } from 'commander';
import type { PolicyFolders } from './application.ts';
import { exitCodes } from './exit-codes.ts';
import { policyFolders } from './policy-folders.ts';
import type { CommandContext } from './program.ts';

interface Options extends PolicyFolders {
  readonly input?: string;
  readonly data?: string;
  readonly explain?: 'notes' | 'fails' | 'full';
  readonly fail?: boolean;
}

/** `castellan policy eval`: a query in OPA's interpreter, over the policy and an input. */
export function addEvalCommand(policy: Command, { app, output, exit }: CommandContext): void {
  policyFolders(policy.command('eval').description('evaluate a query in OPA’s interpreter, with the policy, its tests and an input'))
    .argument('<query>', 'Rego, such as `data.gateway.call`')
    .option('--input <file>', 'the input document, JSON; `-` is standard input')
    .option('--data <file>', 'a JSON object that replaces keys at the top of data')
    .addOption(new Option('--explain <how>', 'show how the answer came about').choices(['notes', 'fails', 'full']))
    .option('--fail', 'exit 1 when the query is undefined')
    .action(async (query: string, { input, data, explain, fail, ...folders }: Options) => {
      const report = await app.authoring.evaluate({
        ...folders,
        query,
        ...(input === undefined ? {} : { inputFile: input }),
        ...(data === undefined ? {} : { dataFile: data }),
        ...(explain === undefined ? {} : { explain }),
      });
      output.answer(report, () =>
        [...report.trace, ...(report.prints === '' ? [] : [report.prints.trimEnd()]), ...values(report.result)].join('\n'),
      );
      if (fail === true && report.result.length === 0) exit(exitCodes.failed);
    });
}

/** One row of the result set: the value where there is one, else what the variables are. */
function values(result: Awaited<ReturnType<CommandContext['app']['authoring']['evaluate']>>['result']): string[] {
  if (result.length === 0) return ['undefined'];
  return result.map(({ expressions, bindings }) => {
    const [only] = expressions;
    const value =
      bindings !== undefined ? bindings : expressions.length === 1 ? only?.value : expressions.map((expression) => expression.value);
    return JSON.stringify(value, null, 2);
  });
}
