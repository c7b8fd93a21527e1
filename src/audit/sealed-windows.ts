import { GatewayError } from '../model/errors.ts';
import type { Db } from '../model/ports.ts';
import { unwrapKey, wrapKey, type KeyRing } from './sealed-keys.ts';
import { boundKey } from './sealed-writer.ts';

interface LiveWindow {
  readonly tenant: string;
  readonly log: string;
  readonly day: string;
  readonly kek: string;
  readonly wrapped_key: Uint8Array;
}

/** Whether anything is sealed whose key is not destroyed: then the key that seals keys must be at hand. */
export async function hasSealedDays(db: Db): Promise<boolean> {
  return (await db.query('SELECT 1 AS found FROM audit_window WHERE wrapped_key IS NOT NULL LIMIT 1')).length > 0;
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
      const key = opened(ring, row);
      if (kek !== ring.current.id) await rewrap(db, ring, row, key);
    }
  }
}

function opened(ring: KeyRing, { tenant, log, day, kek, wrapped_key: wrapped }: LiveWindow): Uint8Array {
  try {
    return unwrapKey(ring, kek, wrapped, boundKey(tenant, log, day));
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
