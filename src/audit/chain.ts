import { hash } from 'node:crypto';

/** Where a chain ends: the number of its last record, and that record's hash as 64 hex digits. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/**
 * What stands before the first record, bound to its chain: SHA-256 over the bytes
 *
 *     0x01 | tenant and log as a JSON array of two strings, in UTF-8
 *
 * so that no record of one tenant's log fits into another's.
 */
export function genesis(tenant: string, log: string): Head {
  return { seq: 0, hash: hash('sha256', `\x01${JSON.stringify([tenant, log])}`) };
}

/**
 * The hash of record `seq` (1, 2, 3, …), as 64 hex digits: SHA-256 over the bytes
 *
 *     0x00 | previous hash, 64 lower-case hex digits in ASCII | 0x0A | seq, decimal in ASCII | 0x0A | the record's JSON text in UTF-8
 *
 * The leading byte keeps it apart from {@link genesis} (RFC 6962 section 2.1 does the same for leaves). The three parts cannot run into each
 * other: the first has a fixed length and the second no line feed. Anybody can compute it:
 * `printf '\0%s\n%s\n%s' "$previous" "$seq" "$record" | sha256sum`.
 */
export function chainHash(previousHash: string, seq: number, recordText: string): string {
  return hash('sha256', `\x00${previousHash}\n${seq}\n${recordText}`);
}
