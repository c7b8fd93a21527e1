import { Command } from 'commander';
import { GatewayError } from '../model/errors.ts';
import { AdminClient } from './admin-client.ts';
import type { HoldRequest } from '../model/hold-request.ts';
import type { HoldRow } from './keeping-tools.ts';
import { visible } from './output.ts';
import type { CommandContext } from './program.ts';

interface Place {
  readonly server?: string;
  readonly config?: string;
}

interface HoldOptions extends Place {
  readonly reason: string;
  readonly subject?: string;
  readonly issuer?: string;
  readonly call?: string;
  readonly since?: string;
  readonly until?: string;
}

/** `castellan audit erase`: destroys the keys of days, at the gateway or straight in the database. */
export function auditEraseCommand({ app, output }: CommandContext): Command {
  return place(
    new Command('erase').description('destroy the key of a day, so that nothing opens its recorded inputs again; the log still verifies'),
  )
    .requiredOption('--window <day>', 'the day, in UTC, such as 2026-11-01')
    .option('--until <day>', 'the last of several days')
    .action(async ({ window: from, until, config, server }: Place & { window: string; until?: string }) => {
      const request = { from, ...(until === undefined ? {} : { until }) };
      const erased =
        config === undefined
          ? await client(server).call<{ day: string; held: number }[]>('POST', '/audit/erase', request)
          : await app.keeping.erase(config, process.env, request);
      output.answer(erased, () =>
        erased.length === 0
          ? 'nothing was left to erase'
          : erased.map(({ day, held }) => `${day} erased${held === 0 ? '' : `; ${held} inputs are kept by a hold`}`).join('\n'),
      );
    });
}

/** `castellan audit hold`: add, list, remove. */
export function auditHoldCommand(context: CommandContext): Command {
  const { app, output } = context;
  const command = new Command('hold').description('keep records and inputs whatever their age, for a court or an inquiry');
  place(command.command('add').description('neither retention nor erasure takes away what this covers'))
    .requiredOption('--reason <text>', 'why, for whoever finds it later')
    .option('--subject <subject>', 'of one identity')
    .option('--issuer <url>', 'whose subject it is')
    .option('--call <id>', 'of one call')
    .option('--since <time>', 'from this time on, such as 2026-11-01')
    .option('--until <time>', 'before this time')
    .action(async (options: HoldOptions) => {
      const hold = holdOf(options);
      const made =
        options.config === undefined
          ? await client(options.server).call<HoldRow>('POST', '/audit/holds', hold)
          : await app.keeping.addHold(options.config, process.env, hold);
      output.answer(made, () => `${made.id} holds ${scopeText(made)}`);
    });
  place(command.command('list').description('the holds in force')).action(async ({ config, server }: Place) => {
    const holds =
      config === undefined ? await client(server).call<HoldRow[]>('GET', '/audit/holds') : await app.keeping.holds(config, process.env);
    output.answer(holds, () =>
      output.table(
        ['id', 'covers', 'since', 'by', 'reason'],
        holds.map((hold) => [
          hold.id,
          scopeText(hold),
          new Date(hold.madeAtMs).toISOString().slice(0, 10),
          visible(hold.madeBy),
          visible(hold.reason),
        ]),
      ),
    );
  });
  place(
    command
      .command('remove')
      .description('lift a hold: what is too old goes with the next round of retention')
      .argument('<id>', 'the hold'),
  ).action(async (id: string, { config, server }: Place) => {
    if (config === undefined) await client(server).call('DELETE', `/audit/holds/${encodeURIComponent(id)}`);
    else await app.keeping.removeHold(config, process.env, id);
    output.answer({ removed: id }, () => `${id} is lifted`);
  });
  return command;
}

function place(command: Command): Command {
  return command
    .option('--server <url>', 'the gateway; default: the one you are signed in at')
    .option('--config <file>', 'the database of this configuration, in place of a gateway');
}

function client(server: string | undefined): AdminClient {
  return AdminClient.connect(server === undefined ? {} : { server }, process.env);
}

function holdOf({ reason, subject, issuer, call, since, until }: HoldOptions): HoldRequest {
  return {
    reason,
    ...(subject === undefined ? {} : { subject }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(call === undefined ? {} : { call }),
    ...(since === undefined ? {} : { sinceMs: timeOf('--since', since) }),
    ...(until === undefined ? {} : { untilMs: timeOf('--until', until) }),
  };
}

function timeOf(option: string, text: string): number {
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) throw new GatewayError('request.invalid', `\`${option} ${text}\` is no time; give one such as \`2026-11-01\``);
  return atMs;
}

function scopeText(hold: HoldRequest): string {
  const parts = [
    ...(hold.subject === undefined ? [] : [`subject ${visible(hold.subject)}`]),
    ...(hold.issuer === undefined ? [] : [`issuer ${visible(hold.issuer)}`]),
    ...(hold.call === undefined ? [] : [`call ${visible(hold.call)}`]),
    ...(hold.sinceMs === undefined ? [] : [`from ${new Date(hold.sinceMs).toISOString()}`]),
    ...(hold.untilMs === undefined ? [] : [`until ${new Date(hold.untilMs).toISOString()}`]),
  ];
  return parts.length === 0 ? 'everything' : parts.join(', ');
}
