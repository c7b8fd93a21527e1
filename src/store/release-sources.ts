import type { Digest, TenantId } from '../model/ids.ts';
import type { Db } from '../model/ports.ts';
import { packed, unpacked } from './brotli.ts';

/** The text of policies that were in force: what a recorded decision is explained by. All methods: @throws GatewayError `store.unavailable` */
export interface ReleaseSources {
  /** Keeps files by path, compressed, unless those of this digest are kept already. */
  keep(tenant: TenantId, digest: Digest, files: Readonly<Record<string, string>>): Promise<void>;
  /** The files of a release by the id that records name it by. */
  find(tenant: string, releaseId: string): Promise<Readonly<Record<string, string>> | undefined>;
}

const quality = 5;

/** The sources of a database. */
export function createReleaseSources(db: Db): ReleaseSources {
  return {
    keep: async (tenant, digest, files) => {
      const known = await db.query('SELECT 1 AS one FROM release_source WHERE tenant = $1 AND digest = $2', [tenant, digest]);
      if (known.length > 0) return;
      await db.query('INSERT INTO release_source (tenant, digest, files_br) VALUES ($1, $2, $3) ON CONFLICT (tenant, digest) DO NOTHING', [
        tenant,
        digest,
        await packed(JSON.stringify(files), quality),
      ]);
    },
    find: async (tenant, releaseId) => {
      const [row] = await db.query<{ files_br: Uint8Array }>(
        `SELECT s.files_br FROM release r JOIN release_source s ON s.tenant = r.tenant AND s.digest = r.digest
         WHERE r.tenant = $1 AND r.id = $2`,
        [tenant, releaseId],
      );
      return row === undefined ? undefined : (JSON.parse((await unpacked(row.files_br)).toString()) as Record<string, string>);
    },
  };
}
