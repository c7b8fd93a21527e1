import { randomBytes, randomUUID } from 'node:crypto';

type Brand<Name extends string> = string & { readonly __brand: Name };

export type CallId = Brand<'CallId'>;
export type ApprovalId = Brand<'ApprovalId'>;
export type SessionId = Brand<'SessionId'>;
export type ReleaseId = Brand<'ReleaseId'>;
export type TenantId = Brand<'TenantId'>;
/** `sha256:` and 64 lower-case hex digits. */
export type Digest = Brand<'Digest'>;

/** The tenant of a configuration that names none. */
export const defaultTenant = 'default' as TenantId;

const prefixes = { call: 'call_', approval: 'apr_', session: '', key: 'key_' } as const;

interface IdOf {
  readonly call: CallId;
  readonly approval: ApprovalId;
  readonly session: SessionId;
  readonly key: string;
}

/** A fresh id of at least 122 random bits; call, approval and key ids carry a prefix that tells them apart. */
export function newId<Kind extends keyof IdOf>(kind: Kind): IdOf[Kind] {
  // randomUUID draws from a pool that Node keeps: a system call for each call id showed up in profiles.
  return (kind === 'call' ? prefixes.call + randomUUID() : prefixes[kind] + randomBytes(16).toString('base64url')) as IdOf[Kind];
}
