import type { Db } from '../model/ports.ts';

/** Which cursor, and who holds it. */
export interface CursorOptions {
  readonly tenant: string;
  readonly log: string;
  readonly name: string;
  /** Names this process among replicas. */
  readonly holder: string;
  /** How long a holder that says nothing keeps the cursor. */
  readonly leaseMs: number;
}

/**
 * How far a sink has got, in the database: a restart goes on there. Of all replicas one holds it at a time; another takes it over when its
 * holder has said nothing for the time of a lease.
 */
export class SinkCursor {
  readonly #db: Db;
  readonly #options: CursorOptions;
  #heldUntilMs = 0;
  #seq = 0;

  constructor(db: Db, options: CursorOptions) {
    this.#db = db;
    this.#options = options;
  }

  /**
   * Takes or keeps the cursor, for half the time of a lease at least. `undefined` while another holds it. A sink's first cursor stands at `firstSeq`.
   * @throws GatewayError `store.unavailable`
   */
  async take(firstSeq: number, nowMs: number): Promise<number | undefined> {
    const { tenant, log, name, holder, leaseMs } = this.#options;
    // Each renewal is a write to the disk.
    if (nowMs < this.#heldUntilMs - leaseMs / 2) return this.#seq;
    await this.#db.query(
      `INSERT INTO audit_sink (tenant, log, name, seq, holder, lease_until_ms, changed_at_ms) VALUES ($1, $2, $3, $4, '', 0, $5)
       ON CONFLICT (tenant, log, name) DO NOTHING`,
      [tenant, log, name, firstSeq, nowMs],
    );
    const rows = await this.#db.query<{ seq: number }>(
      `UPDATE audit_sink SET holder = $4, lease_until_ms = $5
       WHERE tenant = $1 AND log = $2 AND name = $3 AND (holder = $4 OR lease_until_ms <= $6) RETURNING seq`,
      [tenant, log, name, holder, nowMs + leaseMs, nowMs],
    );
    const [row] = rows;
    this.#heldUntilMs = row === undefined ? 0 : nowMs + leaseMs;
    this.#seq = row?.seq ?? 0;
    return row?.seq;
  }

  /** Moves the cursor forward after its records were taken. False when another holds it by now: those records go out twice. */
  async advance(seq: number, nowMs: number): Promise<boolean> {
    const { tenant, log, name, holder, leaseMs } = this.#options;
    const rows = await this.#db.query(
      `UPDATE audit_sink SET seq = $4, lease_until_ms = $5, changed_at_ms = $6
       WHERE tenant = $1 AND log = $2 AND name = $3 AND holder = $7 AND seq <= $4 RETURNING seq`,
      [tenant, log, name, seq, nowMs + leaseMs, nowMs, holder],
    );
    const held = rows.length > 0;
    this.#heldUntilMs = held ? nowMs + leaseMs : 0;
    if (held) this.#seq = seq;
    return held;
  }

  /** Lets another take over at once. */
  async release(): Promise<void> {
    const { tenant, log, name, holder } = this.#options;
    await this.#db.query('UPDATE audit_sink SET lease_until_ms = 0 WHERE tenant = $1 AND log = $2 AND name = $3 AND holder = $4', [
      tenant,
      log,
      name,
      holder,
    ]);
  }

  /** How far the sink has got, whoever holds it. */
  async seq(): Promise<number> {
    const { tenant, log, name } = this.#options;
    const sql = 'SELECT seq FROM audit_sink WHERE tenant = $1 AND log = $2 AND name = $3';
    return (await this.#db.query<{ seq: number }>(sql, [tenant, log, name]))[0]?.seq ?? 0;
  }
}
