type Payload = Record<string, unknown>;

interface Stored {
  readonly payload: Payload;
  readonly expiresAtMs: number;
}

/** What oidc-provider asks of a store; one object per kind of artefact. */
export interface ProviderStore {
  upsert(id: string, payload: Payload, expiresInS?: number): Promise<void>;
  find(id: string): Promise<Payload | undefined>;
  findByUid(uid: string): Promise<Payload | undefined>;
  findByUserCode(userCode: string): Promise<Payload | undefined>;
  consume(id: string): Promise<void>;
  destroy(id: string): Promise<void>;
  revokeByGrantId(grantId: string): Promise<void>;
}

/** A store in memory that outlives the provider object, so that sign-ins survive a change of its keys. */
export function createProviderStore(): (kind: string) => ProviderStore {
  const kinds = new Map<string, Map<string, Stored>>();
  return (kind) => {
    const entries = kinds.get(kind) ?? new Map<string, Stored>();
    kinds.set(kind, entries);
    const findWhere = (name: string, value: string): Promise<Payload | undefined> =>
      Promise.resolve([...live(entries)].find((payload) => payload[name] === value));
    return {
      upsert(id, payload, expiresInS) {
        entries.set(id, { payload, expiresAtMs: expiresInS === undefined ? Number.POSITIVE_INFINITY : Date.now() + expiresInS * 1000 });
        return Promise.resolve();
      },
      find(id) {
        const stored = entries.get(id);
        return Promise.resolve(stored !== undefined && stored.expiresAtMs > Date.now() ? stored.payload : undefined);
      },
      findByUid: (uid) => findWhere('uid', uid),
      findByUserCode: (userCode) => findWhere('userCode', userCode),
      consume(id) {
        const stored = entries.get(id);
        if (stored !== undefined) stored.payload['consumed'] = Math.floor(Date.now() / 1000);
        return Promise.resolve();
      },
      destroy(id) {
        entries.delete(id);
        return Promise.resolve();
      },
      revokeByGrantId(grantId) {
        for (const [id, { payload }] of entries) if (payload['grantId'] === grantId) entries.delete(id);
        return Promise.resolve();
      },
    };
  };
}

function* live(entries: ReadonlyMap<string, Stored>): Generator<Payload> {
  for (const { payload, expiresAtMs } of entries.values()) if (expiresAtMs > Date.now()) yield payload;
}
