import type { Path, Problem } from './problem.ts';
import type { Config } from './schema-types.ts';
import { isLoopbackHost } from './url-rule.ts';
import { nearest } from './nearest.ts';

/** Names that the file holds, in parts that fit the schema or not: a name with a mistake in it is still known. */
export interface KnownNames {
  readonly upstreams: ReadonlySet<string>;
  readonly issuers: ReadonlySet<string>;
}

/** Who gets in, and where: listen, issuers, keys, admin. */
export function checkAccess(config: Config, known: KnownNames): Problem[] {
  return [...checkListen(config), ...checkIssuers(config, known), ...checkAdmin(config, known)];
}

function checkListen({ listen, metrics }: Config): Problem[] {
  const problems: Problem[] = [];
  if (listen.public_url === undefined && !isLoopbackHost(listen.host))
    problems.push({
      path: ['listen', 'public_url'],
      message:
        'missing; listening beyond loopback, tokens are bound to the address that agents use: add it, such as `https://mcp.example.com`',
    });
  if (metrics.enabled && metrics.port !== undefined && metrics.port !== 0 && metrics.port === listen.port)
    problems.push({
      path: ['metrics', 'port'],
      message: `port ${listen.port} is the one of \`listen\`; take another, or leave it out to serve both on one`,
    });
  return problems;
}

function checkIssuers({ issuers, issuer_keys, api_keys }: Config, known: KnownNames): Problem[] {
  const problems: Problem[] = [];
  const first = new Map<string, number>();
  for (const [index, { issuer }] of issuers.entries()) {
    const before = first.get(issuer);
    if (before === undefined) first.set(issuer, index);
    else
      problems.push({
        path: ['issuers', index, 'issuer'],
        message: `the same issuer as entry ${before + 1}; merge the two, audiences can be a list`,
      });
  }
  if (known.issuers.size === 0 && issuers.length === 0 && !api_keys.enabled)
    problems.push({
      path: ['api_keys', 'enabled'],
      message: 'without issuers and API keys nobody gets in; add an issuer or enable API keys',
    });
  if (issuer_keys.refresh_s > issuer_keys.max_age_s)
    problems.push({ path: ['issuer_keys', 'refresh_s'], message: `must be at most \`issuer_keys.max_age_s\` (${issuer_keys.max_age_s})` });
  if (api_keys.default_lifetime_days > api_keys.max_lifetime_days)
    problems.push({
      path: ['api_keys', 'default_lifetime_days'],
      message: `must be at most \`api_keys.max_lifetime_days\` (${api_keys.max_lifetime_days})`,
    });
  return problems;
}

function checkAdmin({ admin, issuers }: Config, known: KnownNames): Problem[] {
  if (admin === undefined) return [];
  const problems: Problem[] = [];
  if (!known.issuers.has(admin.issuer)) {
    const meant = nearest(admin.issuer, known.issuers);
    problems.push({
      path: ['admin', 'issuer'],
      message: `no such entry in \`issuers\`; ${meant === undefined ? 'add it there' : `did you mean \`${meant}\`?`}`,
    });
  }
  for (const [index, { audience }] of issuers.entries()) {
    const at: Path = ['issuers', index, 'audience'];
    const same = audience === 'endpoint' ? -1 : audience.indexOf(admin.audience);
    if (same !== -1)
      problems.push({
        path: [...at, same],
        message: "is the audience of `admin` too: an agent's token would open the admin API; give each its own",
      });
  }
  if (Object.values(admin.roles).every((groups: readonly string[]) => groups.length === 0))
    problems.push({
      path: ['admin', 'roles'],
      at: 'key',
      message: 'no role has a group, so nobody could use the admin API; name one, such as `approver: [security]`',
    });
  return problems;
}
