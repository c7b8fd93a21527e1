import { GatewayError } from '../model/errors.ts';
import type { Identity } from '../model/identity.ts';
import type { Awaitable } from '../model/ports.ts';
import { createAuthenticator, type Authenticator } from './authenticator.ts';
import type { IdentityOptions } from './options.ts';

/** What a person may do at the admin API: vote on approvals; read audit and state; reload and manage keys; everything. */
export type AdminRole = 'approver' | 'auditor' | 'operator' | 'admin';

/** Which groups have which role. A role without groups is nobody's. */
export type RoleGroups = { readonly [Role in AdminRole]?: readonly string[] | undefined };

export interface AdminIdentity {
  readonly identity: Identity;
  readonly roles: ReadonlySet<AdminRole>;
}

export interface AdminAuthenticator extends Pick<Authenticator, 'warm' | 'status' | 'forget'> {
  /**
   * Who is at the admin API. Roles may be empty: each operation asks with {@link requireRole}.
   * @throws GatewayError as {@link Authenticator.authenticate}
   */
  authenticate(request: { readonly authorization: string | undefined }): Awaitable<AdminIdentity>;
}

const roles: readonly AdminRole[] = ['approver', 'auditor', 'operator', 'admin'];

/**
 * An authenticator for the admin API, whose issuers name the admin audience: a token for an MCP endpoint opens nothing here. API keys do
 * not either: whoever decides on calls is a person, or a service with a token of the issuer.
 * @throws GatewayError `config.invalid`
 */
export function createAdminAuthenticator(options: Omit<IdentityOptions, 'apiKeys'> & { readonly roles: RoleGroups }): AdminAuthenticator {
  const authenticator = createAuthenticator({ ...options, apiKeys: undefined });
  const withRoles = (identity: Identity): AdminIdentity => ({ identity, roles: rolesOf(identity.groups, options.roles) });
  return {
    authenticate(request) {
      const identity = authenticator.authenticate({ authorization: request.authorization });
      return identity instanceof Promise ? identity.then(withRoles) : withRoles(identity);
    },
    warm: () => authenticator.warm(),
    status: () => authenticator.status(),
    forget: (match) => authenticator.forget(match),
  };
}

/** The roles of somebody in `groups`; `admin` has all. */
export function rolesOf(groups: readonly string[], mapping: RoleGroups): ReadonlySet<AdminRole> {
  const has = (role: AdminRole): boolean => mapping[role]?.some((group) => groups.includes(group)) ?? false;
  return new Set(has('admin') ? roles : roles.filter(has));
}

/** @throws GatewayError `admin.forbidden` when `who` has none of `anyOf` */
export function requireRole(who: AdminIdentity, ...anyOf: readonly AdminRole[]): void {
  if (anyOf.some((role) => who.roles.has(role))) return;
  throw new GatewayError(
    'admin.forbidden',
    `this needs the role ${anyOf.map((role) => `\`${role}\``).join(' or ')}; ask whoever assigns groups`,
  );
}
