import { generateKeyPairSync, hash, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { GatewayError } from '../model/errors.ts';
import { noteSigner, type NoteSigner } from './note.ts';

/** Where the key of checkpoints comes from, and the name it signs under. */
export interface CheckpointKeyOptions {
  /** Absent: a name with the key's own fingerprint. */
  readonly origin?: string | undefined;
  /** The key in PEM; absent: the file. */
  readonly pem?: string | undefined;
  /** Where the key is that the gateway makes for itself, mode 0600. */
  readonly file: string | undefined;
}

/**
 * The signer of checkpoints; makes the key file where there is none.
 * @throws GatewayError `config.invalid` when the key is none, or its file can be neither read nor made
 */
export async function openSigner({ origin, pem, file }: CheckpointKeyOptions): Promise<NoteSigner | undefined> {
  const text = pem ?? (file === undefined ? undefined : await keyFile(file));
  if (text === undefined) return undefined;
  return noteSigner(origin ?? defaultOrigin(text), text);
}

/** A name that no other log has: it comes from the key. */
function defaultOrigin(pem: string): string {
  const { verifierKey } = noteSigner('key', pem);
  return `castellan-${hash('sha256', verifierKey).slice(0, 12)}/audit`;
}

async function keyFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(path, error);
  }
  // Whole and on the disk before it has its name: a process that makes one at the same moment finds this one, or this one finds that.
  const draft = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeFile(draft, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx', flush: true });
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(path, error);
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(path, 'utf8');
}

function unusable(path: string, cause: unknown): GatewayError {
  return new GatewayError('config.invalid', `the key of checkpoints cannot be kept in \`${path}\`; name one in \`audit.checkpoints.key\``, {
    cause,
  });
}
