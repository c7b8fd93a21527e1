import type { Db } from '../model/ports.ts';

/**
 * Runs `work` while no other process runs work of the same name; gives `undefined` where one does. A process that dies leaves its lease to
 * its end.
 * @throws GatewayError `store.unavailable`, and what `work` throws
 */
export async function withLease<T>(
  db: Db,
  lease: { readonly tenant: string; readonly name: string; readonly holder: string; readonly forMs: number },
  now: () => number,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const { tenant, name, holder, forMs } = lease;
  const taken = await db.query(
    `INSERT INTO store_lease (tenant, name, holder, until_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant, name) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms WHERE store_lease.until_ms < $5 RETURNING holder`,
    [tenant, name, holder, now() + forMs, now()],
  );
  if (taken.length === 0) return undefined;
  try {
    return await work();
  } finally {
    await db.query('DELETE FROM store_lease WHERE tenant = $1 AND name = $2 AND holder = $3', [tenant, name, holder]);
  }
}
