import { Command, Option } from 'commander';
import { GatewayError } from '../model/errors.ts';
import type { KeyRequest, KeyRow, OfflineKeys } from './application.ts';
import { AdminClient } from './admin-client.ts';
import { visible } from './output.ts';
import type { CommandContext } from './program.ts';

const when = (ms: number | null): string => (ms === null ? '-' : new Date(ms).toISOString());

interface Where {
  readonly server?: string;
  readonly config?: string;
}

function secondsOf(expires: string): number {
  const days = Number(expires);
  if (!(days > 0 && days <= 3650)) throw new GatewayError('request.invalid', '`--expires` must be a number of days, at most 3650');
  return Math.round(days * 86_400);
}

/** `castellan keys create|list|revoke`: API keys of service agents. */
export function keysCommand({ app, output }: CommandContext): Command {
  const command = new Command('keys').description('API keys of service agents');
  const sub = (words: string, about: string): Command =>
    command
      .command(words)
      .description(about)
      .addOption(new Option('--server <url>', 'the gateway; default: the one you are signed in at'))
      .option('--config <file>', 'work on the database of this configuration directly, as its operator');
  sub('create <name>', 'make a key; it is shown once')
    .option('--group <name...>', 'groups that policy sees', [])
    .option('--scope <name...>', 'scopes that policy sees', [])
    .option('--expires <days>', 'days until it expires; the configuration says how many at most, and how many without this')
    .action(async (name: string, options: Where & { group: string[]; scope: string[]; expires?: string }) => {
      const life = options.expires === undefined ? {} : { expires_in_s: secondsOf(options.expires) };
      const request: KeyRequest = { name, groups: options.group, scopes: options.scope, ...life };
      const made = await reach(
        options,
        (keys) => keys.create(request),
        (admin) => admin.call<{ id: string; key: string }>('POST', '/keys', request),
      );
      output.answer(made, () => `${made.key}\n\nkey \`${made.id}\` for \`${visible(name)}\`; it is not shown again`);
    });
  sub('list', 'keys, without their secrets').action(async (options: Where) => {
    const keys = await reach(
      options,
      (offline) => offline.list(),
      (admin) => admin.call<readonly KeyRow[]>('GET', '/keys'),
    );
    const rows = keys.map((key) => [
      key.id,
      visible(key.name),
      visible(key.groups.join(' ')),
      visible(key.scopes.join(' ')),
      when(key.expiresAtMs),
      when(key.revokedAtMs),
      when(key.lastUsedAtMs),
    ]);
    output.answer(keys, () =>
      rows.length === 0 ? 'no keys' : output.table(['id', 'name', 'groups', 'scopes', 'expires', 'revoked', 'last used'], rows),
    );
  });
  sub('revoke <id>', 'end a key at once').action(async (id: string, options: Where) => {
    const revoked = await reach(
      options,
      (keys) => keys.revoke(id),
      async (admin) => admin.call('DELETE', `/keys/${encodeURIComponent(id)}`).then(() => true),
    );
    if (!revoked) throw new GatewayError('not_found', `there is no key \`${id}\`; \`castellan keys list\` shows them`);
    output.answer({ revoked: id }, () => `revoked \`${id}\``);
  });
  const reach = async <Answer>(
    where: Where,
    offline: (keys: OfflineKeys) => Promise<Answer>,
    online: (admin: AdminClient) => Promise<Answer>,
  ): Promise<Answer> => {
    if (where.config === undefined) return online(AdminClient.connect(where, process.env));
    const keys = await app.keys(where.config, process.env);
    try {
      return await offline(keys);
    } finally {
      await keys.close();
    }
  };
  return command;
}
