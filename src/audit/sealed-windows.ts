import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { boundStoreKey } from './digest-key.ts';
import { unwrapKey, wrapKey, type KeyRing } from './sealed-keys.ts';
import { boundKey } from './sealed-writer.ts';

interface LiveWindow {
  readonly tenant: string;
  readonly log: string;
  readonly day: string;
  readonly kek: string;
  readonly wrapped_key: Uint8Array;
}

interface OwnKey {
  readonly tenant: string;
  readonly name: string;
  readonly kek: string | null;
  readonly key_bytes: Uint8Array;
}

/** Whether anything is sealed whose key is not destroyed: then the key that seals keys must be at hand. */
export async function hasSealedDays(db: Db): Promise<boolean> {
  return (
    (
      await db.query(
        'SELECT 1 AS found FROM audit_window WHERE wrapped_key IS NOT NULL UNION ALL SELECT 1 FROM store_key WHERE kek IS NOT NULL LIMIT 1',
      )
    ).length > 0
  );
}

/**
 * Sees to it that the keys at hand open every day's key, and seals anew under the current one what an earlier one sealed. What is
 * interrupted goes on at the next start: either key opens it until then.
 * @throws GatewayError `config.invalid` when a key is missing or is not the one; `store.unavailable`
 */
export async function adoptKeys(db: Db, ring: KeyRing): Promise<void> {
  const keks = await db.query<{ kek: string }>('SELECT DISTINCT kek FROM audit_window WHERE wrapped_key IS NOT NULL');
  for (const { kek } of keks) {
    const rows = await db.query<LiveWindow>(
      `SELECT tenant, log, day, kek, wrapped_key FROM audit_window WHERE wrapped_key IS NOT NULL AND kek = $1
       ORDER BY day DESC${kek === ring.current.id ? ' LIMIT 1' : ''}`,
      [kek],
    );
    for (const row of rows) {
      const key = openedBy(ring, kek, row.wrapped_key, boundKey(row.tenant, row.log, row.day));
      if (kek !== ring.current.id) await rewrap(db, ring, row, key);
    }
  }
  await adoptOwnKeys(db, ring);
}

/** The gateway's own keys: sealed under the current key, those too that were made when there was none. */
async function adoptOwnKeys(db: Db, ring: KeyRing): Promise<void> {
  const rows = await db.query<OwnKey>('SELECT tenant, name, kek, key_bytes FROM store_key WHERE kek IS NULL OR kek <> $1', [
    ring.current.id,
  ]);
  for (const { tenant, name, kek, key_bytes: stored } of rows) {
    const bound = boundStoreKey(tenant, name);
    const key = kek === null ? stored : openedBy(ring, kek, stored, bound);
    const { kek: next, wrapped } = wrapKey(ring, key, bound);
    await db.query('UPDATE store_key SET kek = $1, key_bytes = $2 WHERE tenant = $3 AND name = $4 AND key_bytes = $5', [
      next,
      wrapped,
      tenant,
      name,
      stored,
    ]);
  }
}

function openedBy(ring: KeyRing, kek: string, wrapped: Uint8Array, bound: string): Uint8Array {
  try {
    return unwrapKey(ring, kek, wrapped, bound);
  } catch (cause) {
    throw new GatewayError(
      'config.invalid',
      `the key under \`audit.inputs.key\` (\`${ring.current.id}\`) does not open the inputs on record, which \`${kek}\` sealed; configure that one, also under \`audit.inputs.earlier_keys\`, or erase those inputs with \`castellan audit erase\``,
      { cause },
    );
  }
}

async function rewrap(db: Db, ring: KeyRing, { tenant, log, day, kek }: LiveWindow, key: Uint8Array): Promise<void> {
  const { kek: next, wrapped } = wrapKey(ring, key, boundKey(tenant, log, day));
  await db.query(
    'UPDATE audit_window SET kek = $1, wrapped_key = $2 WHERE tenant = $3 AND log = $4 AND day = $5 AND kek = $6 AND wrapped_key IS NOT NULL',
    [next, wrapped, tenant, log, day, kek],
  );
}
