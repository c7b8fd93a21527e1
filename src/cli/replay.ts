import { Command, Option } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { Progress } from '../replay/replay.ts';
import { replayHtml } from '../replay/report-html.ts';
import { replayMarkdown } from '../replay/report-markdown.ts';
import { replayText } from '../replay/report-text.ts';
import { exceeded, parseThreshold, type Bounded } from '../replay/thresholds.ts';
import { exitCodes } from './exit-codes.ts';
import { visible, type Output } from './output.ts';
import type { CommandContext } from './program.ts';
import { trafficOptions, trafficSource, type TrafficOptions } from './traffic-source.ts';

interface Options extends TrafficOptions {
  readonly against: string;
  readonly base?: string;
  readonly policy?: string;
  readonly mode: 'recorded' | 'faithful';
  readonly workers?: string;
  readonly html?: string;
  readonly markdown?: string;
  readonly [bound: `max${string}`]: string | undefined;
}

const bounds: readonly { readonly on: Bounded; readonly words: string }[] = [
  { on: 'newly_denied', words: 'calls that are allowed now and would be denied' },
  { on: 'newly_allowed', words: 'calls that are not allowed now and would be' },
  { on: 'newly_needing_approval', words: 'calls that a person would have to approve' },
  { on: 'newly_redacted', words: 'calls that would be redacted' },
  { on: 'changed', words: 'differences of any kind' },
  { on: 'not_replayable', words: 'decisions whose input is masked or gone' },
  { on: 'unknowable', words: 'decisions that nobody can know (faithful)' },
];

/** `castellan replay`: what a candidate would have decided on what is on record. */
export function replayCommand({ app, output, exit }: CommandContext): Command {
  const command = trafficOptions(
    new Command('replay').description('what another policy would have decided on the calls that are on record'),
  )
    .requiredOption('--against <policy>', 'the candidate: a folder, a bundle, or a Git revision of the policy folder')
    .option('--base <policy>', 'the policy whose speed is compared, likewise; default: the one of `--config`')
    .option('--policy <folder>', 'the policy folder that a Git revision is of; default: the one of `--config`, else `policies`')
    .addOption(
      new Option('--mode <mode>', 'with history as recorded, or as it would have been under the candidate')
        .choices(['recorded', 'faithful'])
        .default('recorded'),
    )
    .option('--workers <number>', 'threads that evaluate; default: one for each core')
    .option('--html <file>', 'write a page with plots there')
    .option('--markdown <file>', 'write a comment for a pull request there');
  for (const { on, words } of bounds)
    command.option(`--max-${on.replaceAll('_', '-')} <bound>`, `exit with 1 beyond it: ${words}; \`12\` or \`0.1%\``);
  return command.action(async (options: Options) => {
    const thresholds = bounds.flatMap(({ on }) => {
      const text = options[`max${on.split('_').map(capital).join('')}`];
      return text === undefined ? [] : [parseThreshold(on, text)];
    });
    const progress = progressLine(output);
    const report = await app.replay
      .replay({
        traffic: trafficSource(options, Date.now()),
        against: options.against,
        mode: options.mode,
        ...(options.base === undefined ? {} : { base: options.base }),
        ...(options.policy === undefined ? {} : { policy: options.policy }),
        ...(options.workers === undefined ? {} : { workers: workersOf(options.workers) }),
        ...(progress === undefined ? {} : { onProgress: progress.show }),
      })
      .finally(() => progress?.clear());
    const over = exceeded(report, thresholds);
    if (options.html !== undefined) await app.replay.write(options.html, replayHtml(report, over));
    if (options.markdown !== undefined) await app.replay.write(options.markdown, replayMarkdown(report, over));
    output.answer({ ...report, over }, () => {
      const text = replayText(report, (headings, rows) => output.table(headings, rows), visible);
      return [text, ...over.map((line) => output.paint('red', `over the bound: ${line}`))].join('\n');
    });
    if (over.length > 0) exit(exitCodes.failed);
  });
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function workersOf(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new GatewayError('request.invalid', '`--workers` must be a number, 1 to 999');
  return Number(text);
}

/** One line on a terminal that tells how far it is and how long it will take; nothing where nobody looks. */
function progressLine(output: Output): { readonly show: (progress: Progress) => void; readonly clear: () => void } | undefined {
  const { stderr } = process;
  if (!stderr.isTTY || output.json) return undefined;
  const write = (text: string): void => void stderr.write(`\r\u001b[K${text}`);
  return {
    show: ({ read, changed, share, tookMs }) => {
      const leftS = share > 0.01 ? `, about ${Math.ceil(((tookMs / share) * (1 - share)) / 1000)} s left` : '';
      write(`${Math.round(share * 100)}%  ${read} decisions, ${changed} differ${leftS}`);
    },
    clear: () => write(''),
  };
}
