import { createSecretKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readCompactJws, verifySignature, type FindKey } from '../../src/identity/compact-jws.ts';
import { signatureAlgorithms } from '../../src/identity/algorithms.ts';
import { readKeySet } from '../../src/identity/key-set.ts';
import { GatewayError } from '../../src/model/errors.ts';

interface Vectors {
  readonly testGroups: readonly {
    readonly public?: Record<string, unknown>;
    readonly private: Record<string, unknown>;
    readonly tests: readonly { readonly tcId: number; readonly result: string; readonly jws: unknown }[];
  }[];
}

const folder = process.env['CASTELLAN_VECTORS'] ?? join(import.meta.dirname, '../../../shared/vectors');
const file = join(folder, 'wycheproof-json-web-signature.json');
const present = existsSync(file);
const inCi = process.env['CI'] !== undefined && process.env['CI'] !== '';

// 367 and 370 are byte for byte the valid 357; the refusals are keys whose `alg` is not the token's, and texts with stray characters.
const allowedAccepts = new Set([367, 370]);
const allowedRefusals = new Set([346, 347, 350, 351, 372, 373]);

test(
  'Wycheproof: no forged signature is accepted, no good one refused',
  { skip: !present && !inCi && 'the vectors are not here' },
  async () => {
    assert.ok(present, `the vectors are missing: set CASTELLAN_VECTORS to the folder that has ${file}`);
    const { testGroups } = JSON.parse(readFileSync(file, 'utf8')) as Vectors;
    const wrong: string[] = [];
    let count = 0;
    for (const group of testGroups) {
      const { findKey, algorithms } = keysOf(group);
      for (const { tcId, result, jws } of group.tests) {
        count += 1;
        const accepted = await verifies(jws, algorithms, findKey);
        if (accepted && result === 'invalid' && !allowedAccepts.has(tcId)) wrong.push(`${tcId} accepted`);
        if (!accepted && result === 'valid' && !allowedRefusals.has(tcId)) wrong.push(`${tcId} refused`);
      }
    }
    assert.deepEqual(wrong, []);
    assert.equal(count, 401);
  },
);

/** The key as production looks it up; a MAC key, which production never has, is handed to the same function directly. */
function keysOf(group: Vectors['testGroups'][number]): { findKey: FindKey; algorithms: readonly string[] } {
  if (group.public !== undefined) {
    const keys = readKeySet({ keys: [group.public] });
    return { findKey: (kid, alg) => keys.find(kid, alg), algorithms: [...signatureAlgorithms.keys()] };
  }
  const { k, kid, alg } = group.private as { k: string; kid: string; alg: string };
  const key = createSecretKey(k, 'base64url');
  return { findKey: (wanted, algorithm) => (wanted === kid && algorithm === alg ? { key } : undefined), algorithms: [alg] };
}

async function verifies(jws: unknown, algorithms: readonly string[], findKey: FindKey): Promise<boolean> {
  try {
    await verifySignature(readCompactJws(typeof jws === 'string' ? jws : JSON.stringify(jws)), algorithms, findKey);
    return true;
  } catch (error) {
    assert.ok(error instanceof GatewayError && error.code === 'auth.invalid_token', String(error));
    return false;
  }
}
