import { generateKeyPairSync } from 'node:crypto';
import { chainHash, genesis } from '../../src/audit/chain.ts';
import { signCheckpoint } from '../../src/audit/checkpoint.ts';
import { commitInput } from '../../src/audit/input-commitment.ts';
import { noteSigner, parseVerifier, type NoteSigner } from '../../src/audit/note.ts';
import { leafHash, TreeEdge } from '../../src/audit/tree.ts';
import type { AuditRecord } from '../../src/model/audit-record.ts';
import { decided } from './records.ts';

export const tenant = 'default';
/** A key that nobody has had before. */
export const newSigner = (): NoteSigner =>
  noteSigner('example.com/log', generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
/** The key that checkpoints are signed with. */
export const signer = newSigner();
export const verifiers = [parseVerifier(signer.verifierKey)];
export const salt = '5a'.repeat(16);
export const inputOf = (index: number): string => `{"arguments":{"n":${index}}}`;
/** A record whose decision names its input. */
export const withInput = (index: number): AuditRecord => {
  const record = decided(index);
  return { ...record, decision: { ...record.decision!, input_digest: commitInput(salt, inputOf(index)) } };
};
export const total = 700;

/** A log of `records` with valid hashes and valid checkpoints of `by` at each of `sizes`: what somebody writes who has the database. */
export function forgedLog(
  records: readonly AuditRecord[],
  by: NoteSigner,
  sizes: readonly number[],
): { texts: string[]; hashes: string[]; notes: string[] } {
  const [texts, hashes, notes]: [string[], string[], string[]] = [[], [], []];
  const edge = new TreeEdge();
  let last = genesis(tenant, 'main').hash;
  for (const record of records) {
    const text = JSON.stringify(record);
    last = chainHash(last, texts.length + 1, text);
    texts.push(text);
    hashes.push(last);
    edge.append(leafHash(text));
    if (sizes.includes(texts.length)) notes.push(signCheckpoint(by, edge.size, edge.root()));
  }
  return { texts, hashes, notes };
}

/** The log as somebody would rather have it: record 400 says another address. */
export const rewritten = Array.from({ length: total }, (_, at) => (at === 399 ? { ...withInput(at), ip: '192.0.2.99' } : withInput(at)));
