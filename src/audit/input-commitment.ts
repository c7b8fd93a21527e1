import { hash } from 'node:crypto';
import type { AuditRecord } from '../model/audit-record.ts';
import type { Digest } from '../model/ids.ts';

/**
 * What a record says of the input that its decision was made on: `sha256:` and the SHA-256 over the bytes
 *
 *     0x02 | salt, 32 lower-case hex digits in ASCII | 0x0A | the input's JSON text in UTF-8
 *
 * The salt is random and sealed with the input: without it nobody can try inputs against the record, and when both are erased the record
 * stays valid. Anybody who has both can compute it: `printf '\2%s\n%s' "$salt" "$input" | sha256sum`.
 */
export function commitInput(salt: string, inputJson: string): Digest {
  return `sha256:${hash('sha256', `\x02${salt}\n${inputJson}`)}` as Digest;
}

/** Whether `inputJson` with its salt is the very input that the record's decision names. A swapped input is found by this. */
export function checkInput(record: AuditRecord, inputJson: string, salt: string): boolean {
  return record.decision?.input_digest === commitInput(salt, inputJson);
}
