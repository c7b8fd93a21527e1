import type { Digest, ReleaseId, TenantId } from '../model/ids.ts';
import type { Db } from '../model/ports.ts';

/** A release that was in force, as audit records name it. */
export interface ReleaseRow {
  readonly id: ReleaseId;
  readonly digest: Digest;
  readonly commit: string | null;
  readonly loadedAtMs: number;
}

export interface Releases {
  /** Notes that a release came into force; one that comes back only gets the new time. */
  record(tenant: TenantId, release: ReleaseRow): Promise<void>;
  get(tenant: TenantId, id: ReleaseId): Promise<ReleaseRow | undefined>;
  /** Newest first. */
  list(tenant: TenantId, limit: number): Promise<ReleaseRow[]>;
}

/** Which policy releases were in force. All methods: @throws GatewayError `store.unavailable` */
export function createReleases(db: Db): Releases {
  const select = 'SELECT id, digest, git_commit, loaded_at_ms FROM release WHERE tenant = $1';
  const read = async (sql: string, params: readonly (string | number)[]): Promise<ReleaseRow[]> => {
    const rows = await db.query<{ id: ReleaseId; digest: Digest; git_commit: string | null; loaded_at_ms: number }>(sql, params);
    return rows.map((row) => ({ id: row.id, digest: row.digest, commit: row.git_commit, loadedAtMs: row.loaded_at_ms }));
  };
  return {
    record: async (tenant, release) => {
      await db.query(
        `INSERT INTO release (tenant, id, digest, git_commit, loaded_at_ms) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, id) DO UPDATE SET loaded_at_ms = excluded.loaded_at_ms, git_commit = excluded.git_commit`,
        [tenant, release.id, release.digest, release.commit, release.loadedAtMs],
      );
    },
    get: async (tenant, id) => (await read(`${select} AND id = $2`, [tenant, id]))[0],
    list: (tenant, limit) => read(`${select} ORDER BY loaded_at_ms DESC LIMIT $2`, [tenant, limit]),
  };
}
