import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readKeySet } from '../../src/identity/key-set.ts';
import { hasRocaFingerprint } from '../../src/identity/roca.ts';
import { admitKey } from '../../src/identity/signing-key.ts';
import { newTestKey } from './test-issuer.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' });
const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
const ec = newTestKey('ES256').jwk;

const primorial = [
  2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127,
]
  .concat([131, 137, 139, 149, 151, 157, 163, 167])
  .reduce((product, prime) => product * BigInt(prime), 1n);

/** A modulus as a vulnerable chip makes it: a power of 65537 modulo the primorial. */
function rocaModulus(): bigint {
  let residue = 1n;
  for (let step = 0; step < 12_345; step += 1) residue = (residue * 65_537n) % primorial;
  return residue + primorial * ((1n << 2047n) / primorial + 1n);
}

function base64url(number: bigint): string {
  const hex = number.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}

test('ordinary keys are admitted, each for the algorithms of its kind', () => {
  const algorithmsOf = (jwk: object): unknown => {
    const admitted = admitKey(jwk as Record<string, unknown>);
    return admitted.ok ? admitted.key.algorithms : admitted.reason;
  };
  assert.deepEqual(algorithmsOf(rsa), ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']);
  assert.deepEqual(algorithmsOf({ ...rsa, alg: 'PS256' }), ['PS256']);
  assert.deepEqual(algorithmsOf(ec), ['ES256']);
  assert.deepEqual(algorithmsOf({ ...newTestKey('EdDSA').jwk, alg: undefined }), ['EdDSA', 'Ed25519']);
});

test('weak, private, symmetric and misplaced keys are not admitted', () => {
  const rows: readonly [string, object][] = [
    ['its modulus has 1024 bits, not 2048 to 16384', small],
    ['its exponent is not an odd number from 65537 on', { ...rsa, e: 'AQ' }],
    ['its exponent is not an odd number from 65537 on', { ...rsa, e: 'Aw' }],
    ['its modulus is weak (ROCA)', { ...rsa, n: base64url(rocaModulus()) }],
    [
      'it is a private or symmetric key, published',
      createPrivateKey(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })).export({ format: 'jwk' }),
    ],
    ['it is a private or symmetric key, published', { kty: 'oct', k: 'AAAA', alg: 'HS256' }],
    ['it fits no supported signature algorithm', { ...rsa, alg: 'HS256' }],
    ['it fits no supported signature algorithm', { ...ec, crv: 'secp256k1', alg: undefined }],
    ['it fits no supported signature algorithm', { ...ec, alg: 'ES384' }],
    ['it fits no supported signature algorithm', {}],
    ['it is not for signatures', { ...rsa, use: 'enc' }],
    ['it may not verify', { ...rsa, key_ops: ['encrypt'] }],
    ['its key id is not a string', { ...rsa, kid: 7 }],
    ['it is not a well-formed key', { ...ec, x: ec.y, y: ec.x }],
    ['it is not a well-formed key', { kty: 'RSA', n: 7, e: 'AQAB' }],
  ];
  for (const [reason, jwk] of rows) assert.deepEqual(admitKey(jwk as Record<string, unknown>), { ok: false, reason });
});

test('random moduli have no ROCA fingerprint', () => {
  assert.equal(hasRocaFingerprint(rocaModulus()), true);
  for (let round = 0; round < 200; round += 1) {
    const modulus = BigInt(`0x${Buffer.from(crypto.getRandomValues(new Uint8Array(256))).toString('hex')}`) | 1n;
    assert.equal(hasRocaFingerprint(modulus), false);
  }
});

test('a key set gives keys by id and algorithm, and without an id only where there is one choice', () => {
  const [one, two] = [newTestKey('ES256', 'one'), newTestKey('ES256', 'two')];
  const only = newTestKey('EdDSA', 'only');
  const set = readKeySet({ keys: [one.jwk, one.jwk, two.jwk, only.jwk, { kty: 'oct', k: 'AA', kid: 'mac' }] });
  assert.equal(set.size, 3);
  assert.deepEqual(set.refused, [{ kid: 'mac', reason: 'it is a private or symmetric key, published' }]);
  assert.equal(set.find('one', 'ES256')?.kid, 'one');
  assert.equal(set.find('one', 'RS256'), undefined);
  assert.equal(set.find(undefined, 'ES256'), undefined);
  assert.equal(set.find(undefined, 'EdDSA')?.kid, 'only');
  for (const kid of ['__proto__', 'constructor', 'toString', '']) assert.equal(set.find(kid, 'ES256'), undefined);
});

test('what is no key set is an error, an empty one is a key set', () => {
  assert.throws(() => readKeySet({}), /no list `keys`/);
  assert.throws(() => readKeySet({ keys: ['key'] }), /not a key/);
  assert.throws(() => readKeySet({ keys: Array.from({ length: 101 }, () => ec) }), /more than 100/);
  assert.equal(readKeySet({ keys: [] }).size, 0);
});
