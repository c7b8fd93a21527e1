import { Command, Option } from 'commander';
import { whoIsNeeded, type Approval } from '../model/approval.ts';
import { AdminClient } from './admin-client.ts';
import { visible, type Output } from './output.ts';
import type { CommandContext } from './program.ts';

interface ServerOption {
  readonly server?: string;
}

/** `castellan approvals list|show|approve|deny`. */
export function approvalsCommand({ output }: CommandContext): Command {
  const command = new Command('approvals').description('calls that wait for a human');
  const server = (): Option => new Option('--server <url>', 'the gateway; default: the one you are signed in at');
  command
    .command('list')
    .description('held calls, newest first')
    .addOption(server())
    .addOption(
      new Option('--state <state>', 'which ones').choices(['pending', 'approved', 'denied', 'spent', 'expired', 'all']).default('pending'),
    )
    .action(async (options: ServerOption & { state: string }) => {
      const query = options.state === 'all' ? '' : `?state=${options.state}`;
      const approvals = await AdminClient.connect(options, process.env).call<Approval[]>('GET', `/approvals${query}`);
      output.answer(approvals, () => listText(output, approvals));
    });
  command
    .command('show <id>')
    .description('one held call: who asks, what for, with which arguments')
    .addOption(server())
    .action(async (id: string, options: ServerOption) => {
      const approval = await AdminClient.connect(options, process.env).call<Approval>('GET', `/approvals/${encodeURIComponent(id)}`);
      output.answer(approval, () => oneText(approval));
    });
  for (const vote of ['approve', 'deny'] as const) {
    command
      .command(`${vote} <id>`)
      .description(vote === 'approve' ? 'let the call be executed, once, with these very arguments' : 'refuse the call')
      .addOption(server())
      .option('--comment <text>', 'why; the agent is told on a denial')
      .action(async (id: string, options: ServerOption & { comment?: string }) => {
        const body = options.comment === undefined ? {} : { comment: options.comment };
        const approval = await AdminClient.connect(options, process.env).call<Approval>(
          'POST',
          `/approvals/${encodeURIComponent(id)}/${vote}`,
          body,
        );
        output.answer(approval, () => oneText(approval));
      });
  }
  return command;
}

function listText(output: Output, approvals: readonly Approval[]): string {
  if (approvals.length === 0) return 'no held calls';
  const rows = approvals.map((one) => [
    one.id,
    one.state,
    visible(one.requester.subject),
    visible(`${one.server}/${one.tool}`),
    new Date(one.expiresAtMs).toISOString(),
    visible(one.reasons.map((reason) => reason.message).join('; ')),
  ]);
  return output.table(['id', 'state', 'asked by', 'tool', 'expires', 'why'], rows);
}

function oneText(one: Approval): string {
  const votes = one.votes.map(
    (vote) =>
      `  ${vote.vote} by ${visible(vote.by)} at ${new Date(vote.atMs).toISOString()}${vote.comment === undefined ? '' : `: ${visible(vote.comment)}`}`,
  );
  return [
    `${one.id}: ${one.state}`,
    `asked by   ${visible(one.requester.subject)} through ${visible(one.requester.client)}`,
    `tool       ${visible(`${one.server}/${one.tool}`)} at endpoint ${visible(one.endpoint)}`,
    `arguments  ${visible(JSON.stringify(one.arguments))}`,
    `why        ${visible(one.reasons.map((reason) => `${reason.message} (${reason.rule})`).join('; '))}`,
    `needs      ${visible(whoIsNeeded(one.terms))}`,
    `expires    ${new Date(one.expiresAtMs).toISOString()}`,
    ...votes,
  ].join('\n');
}
