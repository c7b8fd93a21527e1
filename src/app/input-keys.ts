import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { newKeyText, sealingKey, type KeyRing, type SealingKey } from '../audit/sealed-keys.ts';
import { adoptKeys, hasSealedDays } from '../audit/sealed-windows.ts';
import type { Config } from '../config/schema-types.ts';
import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';

/** The file that an embedded database's key is in, where the configuration names none. */
export function defaultKeyFile(config: Config): string | undefined {
  return config.store.sqlite === undefined ? undefined : `${config.store.sqlite.path}.key`;
}

/**
 * The keys that seal and open recorded inputs, checked against what is on record. With SQLite a first key is made beside the database where
 * none is configured. `undefined` where inputs are not kept and no key is at hand.
 * @throws GatewayError `config.invalid` when the key is missing, or is not the one that sealed what is on record; `store.unavailable`
 */
export async function openInputKeys(config: Config, db: Db): Promise<KeyRing | undefined> {
  const file = defaultKeyFile(config);
  const { enabled, key } = config.audit.inputs;
  if (key === undefined && enabled && file !== undefined && !existsSync(file)) {
    // A key made anew would open nothing of what is there: that must be told, not covered up.
    if (await hasSealedDays(db))
      throw new GatewayError(
        'config.invalid',
        `the key file \`${file}\` is missing, and inputs on record are sealed with it; restore it from the backup, or name the key under \`audit.inputs.key\``,
      );
    makeKeyFile(file);
  }
  const ring = readInputKeys(config);
  if (ring !== undefined) await adoptKeys(db, ring);
  else if (enabled)
    throw new GatewayError(
      'config.invalid',
      'inputs are kept sealed, and with PostgreSQL their key must be configured: name it under `audit.inputs.key` (`openssl rand -base64 32` makes one), or set `audit.inputs.enabled` to `false`',
    );
  return ring;
}

/** The keys as they are, for who only reads: nothing is made and nothing sealed anew. @throws GatewayError `config.invalid` */
export function readInputKeys(config: Config): KeyRing | undefined {
  const { key, earlier_keys: earlier } = config.audit.inputs;
  const current = key === undefined ? keyBesideDatabase(config) : sealingKey(key.reveal(), 'the secret of `audit.inputs.key`');
  if (current === undefined) return undefined;
  return { current, earlier: earlier.map((one) => sealingKey(one.reveal(), 'a secret of `audit.inputs.earlier_keys`')) };
}

function keyBesideDatabase(config: Config): SealingKey | undefined {
  const file = defaultKeyFile(config);
  if (file === undefined || !existsSync(file)) return undefined;
  if ((statSync(file).mode & 0o077) !== 0)
    throw new GatewayError('config.invalid', `the key file \`${file}\` can be read by others; run \`chmod 600\` on it`);
  return sealingKey(readFileSync(file, 'utf8'), `the key file \`${file}\``);
}

/** Whole and on the disk before it has its name: a process that makes one at the same moment finds this one, or this one finds that. */
function makeKeyFile(file: string): void {
  const draft = `${file}.${randomUUID()}`;
  try {
    const handle = openSync(draft, 'wx', 0o600);
    writeSync(handle, `${newKeyText()}\n`);
    fsyncSync(handle);
    closeSync(handle);
    linkSync(draft, file);
    const folder = openSync(dirname(file), 'r');
    fsyncSync(folder);
    closeSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw new GatewayError('config.invalid', `the key file \`${file}\` cannot be made; let the gateway's user write to its folder`, {
      cause: error,
    });
  } finally {
    rmSync(draft, { force: true });
  }
}
