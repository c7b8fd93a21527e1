import type { Db } from '../model/ports.ts';
import type { StoredCheckpoint } from './checkpoint-book.ts';
import type { CheckpointEvent } from './checkpointer.ts';

/** Where checkpoints go off this host. */
export interface CheckpointTarget {
  readonly name: string;
  /** Resolves when it arrived. @throws Error in words when it did not */
  readonly push: (checkpoint: StoredCheckpoint) => Promise<void>;
}

export interface CheckpointSenderOptions {
  readonly db: Db;
  readonly tenant: string;
  readonly log: string;
  readonly target: CheckpointTarget;
  readonly onEvent: (event: CheckpointEvent) => void;
  readonly now: () => number;
}

const firstPauseMs = 500;
const maxPauseMs = 60_000;

/**
 * Keeps one target in step: sends the latest checkpoint it was offered, and again, after pauses that double up to a minute, until it arrived.
 * Those that a later one overtook are not sent: they follow from it. Whether it arrived is kept in the database, for the next start and
 * for other replicas.
 */
export class CheckpointSender {
  readonly #options: CheckpointSenderOptions;
  #next: StoredCheckpoint | undefined;
  #sent: number | undefined;
  #behindSinceMs: number | undefined;
  #isBehind = false;
  #pauseMs = firstPauseMs;
  #pause: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: CheckpointSenderOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.target.name;
  }

  behindMs(): number {
    return this.#behindSinceMs === undefined ? 0 : this.#options.now() - this.#behindSinceMs;
  }

  /** Takes a checkpoint to send. */
  offer(checkpoint: StoredCheckpoint): void {
    if (checkpoint.size <= Math.max(this.#sent ?? 0, this.#next?.size ?? 0)) return;
    this.#next = checkpoint;
    this.#behindSinceMs ??= this.#options.now();
    this.#begin();
  }

  /** Waits so long for what is on its way, then gives up; the next start goes on. */
  async close(waitMs: number): Promise<void> {
    const endMs = this.#options.now() + waitMs;
    while (this.#next !== undefined && this.#options.now() < endMs) {
      clearTimeout(this.#pause);
      this.#pause = undefined;
      this.#begin();
      const left = new Promise((resolve) => setTimeout(resolve, Math.max(1, endMs - this.#options.now())).unref());
      await Promise.race([this.#running, left]);
      if (this.#isBehind) break;
    }
    clearTimeout(this.#pause);
    this.#next = undefined;
  }

  #begin(): void {
    if (this.#pause !== undefined) return;
    this.#running ??= this.#send().finally(() => (this.#running = undefined));
  }

  async #send(): Promise<void> {
    for (let checkpoint = this.#next; checkpoint !== undefined; checkpoint = this.#next) {
      try {
        this.#sent ??= await this.#known();
        if (checkpoint.size > this.#sent) {
          await this.#options.target.push(checkpoint);
          await this.#remember(checkpoint.size);
        }
      } catch (error) {
        this.#fail(checkpoint, error);
        return;
      }
      this.#succeed(checkpoint);
    }
  }

  #succeed(checkpoint: StoredCheckpoint): void {
    this.#sent = Math.max(this.#sent ?? 0, checkpoint.size);
    this.#pauseMs = firstPauseMs;
    if (this.#next === checkpoint) {
      this.#next = undefined;
      this.#behindSinceMs = undefined;
    }
    if (!this.#isBehind) return;
    this.#isBehind = false;
    this.#options.onEvent({ kind: 'recovered', target: this.name, size: checkpoint.size });
  }

  #fail({ size }: StoredCheckpoint, error: unknown): void {
    if (!this.#isBehind)
      this.#options.onEvent({ kind: 'behind', target: this.name, size, message: error instanceof Error ? error.message : String(error) });
    this.#isBehind = true;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#next !== undefined) this.#begin();
    }, this.#pauseMs).unref();
    this.#pauseMs = Math.min(this.#pauseMs * 2, maxPauseMs);
  }

  async #known(): Promise<number> {
    const { db, tenant, log } = this.#options;
    const sql = 'SELECT size FROM audit_push WHERE tenant = $1 AND log = $2 AND target = $3';
    return (await db.query<{ size: number }>(sql, [tenant, log, this.name]))[0]?.size ?? 0;
  }

  async #remember(size: number): Promise<void> {
    const { db, tenant, log, now } = this.#options;
    await db.query(
      `INSERT INTO audit_push (tenant, log, target, size, at_ms) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (tenant, log, target) DO UPDATE SET size = excluded.size, at_ms = excluded.at_ms`,
      [tenant, log, this.name, size, now()],
    );
  }
}
