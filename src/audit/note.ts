import { createPrivateKey, createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto';
import { GatewayError } from '../model/errors.ts';

/** Signs notes under one name. @see https://c2sp.org/signed-note */
export interface NoteSigner {
  readonly name: string;
  /** The public key as Go's `sumdb/note` and other verifiers take it: `name+hash+base64`. */
  readonly verifierKey: string;
  /** The text, which ends with a line feed, with its signature. */
  sign(text: string): string;
}

/** A public key that notes are checked with. */
export interface NoteVerifier {
  readonly name: string;
  readonly keyHash: string;
  readonly key: KeyObject;
}

/** A note whose signature by one of the verifiers is good, or why it is not. */
export type OpenedNote =
  { readonly ok: true; readonly text: string; readonly by: NoteVerifier } | { readonly ok: false; readonly problem: string };

const ed25519 = 1;
const ed25519Bytes = 32;
const hashChars = 8;
/** What stands before the 32 bytes of an Ed25519 key in PKCS #8. @see RFC 8410 section 7 */
const pkcs8Prefix = '302e020100300506032b657004220420';
const maxNoteChars = 1_000_000;
const namePattern = /^[^\s+]+$/u;
const signaturePattern = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u;

/**
 * A signer of an Ed25519 key: in PKCS #8 PEM, such as `openssl genpkey -algorithm ed25519` makes, or as its 32 bytes in hex.
 * @throws GatewayError `config.invalid` when the key is no Ed25519 key, or the name has white space or a plus sign
 */
export function noteSigner(name: string, privatePem: string): NoteSigner {
  if (!namePattern.test(name)) throw new GatewayError('config.invalid', `\`${name}\` cannot name a key: leave out white space and \`+\``);
  const key = privateKey(privatePem);
  const publicBytes = rawKey(createPublicKey(key));
  const keyHash = keyHashOf(name, publicBytes);
  return {
    name,
    verifierKey: `${name}+${keyHash}+${Buffer.from([ed25519, ...publicBytes]).toString('base64')}`,
    sign: (text) => {
      const signature = Buffer.concat([Buffer.from(keyHash, 'hex'), sign(null, Buffer.from(text), key)]);
      return `${text}\n\u2014 ${name} ${signature.toString('base64')}\n`;
    },
  };
}

/** Reads a verifier key. @throws GatewayError `request.invalid` */
export function parseVerifier(verifierKey: string): NoteVerifier {
  const [, name = '', keyHash = '', encoded = ''] = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(verifierKey.trim()) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length !== 1 + ed25519Bytes || bytes[0] !== ed25519 || keyHashOf(name, bytes.subarray(1)) !== keyHash)
    throw new GatewayError(
      'request.invalid',
      `\`${verifierKey.slice(0, 200)}\` is no Ed25519 verifier key: give it as \`castellan audit checkpoint --public-key\` prints it`,
    );
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes.subarray(1).toString('base64url') }, format: 'jwk' });
  return { name, keyHash, key };
}

/** Checks a note: it is good when one of the verifiers signed it, and none of them signed it badly. */
export function openNote(note: string, verifiers: readonly NoteVerifier[]): OpenedNote {
  const end = note.lastIndexOf('\n\n');
  if (end < 0 || note.length > maxNoteChars || !note.endsWith('\n')) return bad('it is no signed note');
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split('\n');
  let by: NoteVerifier | undefined;
  const names: string[] = [];
  for (const line of lines) {
    const [, name = '', encoded = ''] = signaturePattern.exec(line) ?? [];
    const bytes = Buffer.from(encoded, 'base64');
    if (bytes.length <= hashChars / 2) return bad('one of its signature lines is malformed');
    names.push(name);
    const keyHash = bytes.toString('hex', 0, hashChars / 2);
    const verifier = verifiers.find((one) => one.name === name && one.keyHash === keyHash);
    if (verifier === undefined) continue;
    if (!verify(null, Buffer.from(text), verifier.key, bytes.subarray(hashChars / 2)))
      return bad(`its signature by \`${name}\` does not fit its text: the text was edited, or the signature`);
    by ??= verifier;
  }
  if (by !== undefined) return { ok: true, text, by };
  return bad(`it is signed by \`${names.join('`, `').slice(0, 200)}\` with a key that is not one of those given: the key was replaced`);
}

function bad(problem: string): OpenedNote {
  return { ok: false, problem };
}

function privateKey(pem: string): KeyObject {
  try {
    const seed = /^\s*([0-9a-f]{64})\s*$/i.exec(pem)?.[1];
    const der = seed === undefined ? undefined : Buffer.from(pkcs8Prefix + seed, 'hex');
    const key = createPrivateKey(der === undefined ? pem : { key: der, format: 'der', type: 'pkcs8' });
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below, without a word of the key's text.
  }
  throw new GatewayError(
    'config.invalid',
    'the key of checkpoints must be an Ed25519 private key in PEM, or its 32 random bytes in hex: `openssl rand -hex 32` makes one',
  );
}

function rawKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
}

function keyHashOf(name: string, publicBytes: Uint8Array): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ed25519), publicBytes])).slice(0, hashChars);
}
