import type { Digest, TenantId } from '../model/ids.ts';
import type { Db } from '../model/ports.ts';

/** First-seen digests of tool definitions, of one tenant. */
export interface ToolPins {
  get(upstream: string, tool: string): Promise<Digest | undefined>;
  /** Sets or replaces the pin; the time of first sight is that of the digest, so a replaced pin starts anew. */
  put(upstream: string, tool: string, digest: Digest): Promise<void>;
  list(upstream?: string): Promise<ToolPin[]>;
}

export interface ToolPin {
  readonly upstream: string;
  readonly tool: string;
  readonly digest: Digest;
  readonly firstSeenMs: number;
}

/** The pins of `tenant`. All methods: @throws GatewayError `store.unavailable` */
export function createToolPins(options: { readonly db: Db; readonly tenant: TenantId; readonly now: () => number }): ToolPins {
  const { db, tenant, now } = options;
  return {
    get: async (upstream, tool) => {
      const sql = 'SELECT digest FROM tool_pin WHERE tenant = $1 AND upstream = $2 AND tool = $3';
      return (await db.query<{ digest: Digest }>(sql, [tenant, upstream, tool]))[0]?.digest;
    },
    put: async (upstream, tool, digest) => {
      await db.query(
        `INSERT INTO tool_pin (tenant, upstream, tool, digest, first_seen_ms) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant, upstream, tool) DO UPDATE SET digest = excluded.digest, first_seen_ms = excluded.first_seen_ms
         WHERE tool_pin.digest <> excluded.digest`,
        [tenant, upstream, tool, digest, now()],
      );
    },
    list: async (upstream) => {
      const where = upstream === undefined ? '' : ' AND upstream = $2';
      const params = upstream === undefined ? [tenant] : [tenant, upstream];
      const sql = `SELECT upstream, tool, digest, first_seen_ms FROM tool_pin WHERE tenant = $1${where}`;
      const rows = await db.query<{ upstream: string; tool: string; digest: Digest; first_seen_ms: number }>(sql, params);
      const pins = rows.map(({ first_seen_ms: firstSeenMs, ...pin }) => ({ ...pin, firstSeenMs }));
      // Sorted here: the engines order text by different rules.
      return pins.sort((a, b) => compare(a.upstream, b.upstream) || compare(a.tool, b.tool));
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
