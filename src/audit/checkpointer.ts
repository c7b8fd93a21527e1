import { rename, writeFile } from 'node:fs/promises';
import type { Db } from '../model/ports.ts';
import { openCheckpointBook, type CheckpointBook, type StoredCheckpoint } from './checkpoint-book.ts';
import { CheckpointSender, type CheckpointTarget } from './checkpoint-sender.ts';
import type { NoteSigner } from './note.ts';

export interface CheckpointerOptions {
  readonly db: Db;
  readonly tenant: string;
  /** Default `main`. */
  readonly log?: string;
  readonly signer: NoteSigner;
  /** A checkpoint is made when so many records came since the last one, … */
  readonly records: number;
  /** … or when the last one is so old and something came since. */
  readonly intervalMs: number;
  /** Where the latest one is written; absent: nowhere. */
  readonly file?: string | undefined;
  readonly targets: readonly CheckpointTarget[];
  readonly onEvent: (event: CheckpointEvent) => void;
  readonly now?: () => number;
}

export type CheckpointEvent =
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'behind'; readonly target: string; readonly size: number; readonly message: string }
  | { readonly kind: 'recovered'; readonly target: string; readonly size: number };

const tickMs = 1_000;
const closeMs = 3_000;

/**
 * Signs the tree of a log from time to time, keeps each checkpoint in the database, writes the latest to a file and sends it off this host.
 * Replicas that share a database share its checkpoints. It never stops a call: what it cannot do is told and tried again.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  readonly #book: CheckpointBook;
  readonly #senders: readonly CheckpointSender[];
  readonly #timer: NodeJS.Timeout;
  #latest: StoredCheckpoint | undefined;
  #filed = 0;
  #running: Promise<void> | undefined;
  #isFailing = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    const { db, tenant, log } = options;
    this.#book = openCheckpointBook(db, tenant, log);
    const now = options.now ?? Date.now;
    this.#senders = options.targets.map(
      (target) => new CheckpointSender({ db, tenant, log: log ?? 'main', target, onEvent: options.onEvent, now }),
    );
    this.#timer = setInterval(() => void this.#tick(), tickMs).unref();
  }

  /** For how long each target has not had the latest checkpoint, in ms; 0 where it has. */
  behind(): readonly { readonly target: string; readonly behindMs: number }[] {
    return this.#senders.map((sender) => ({ target: sender.name, behindMs: sender.behindMs() }));
  }

  /** Signs what is there now, and begins to send it. @throws GatewayError `store.unavailable` */
  async make(): Promise<StoredCheckpoint | undefined> {
    const made = await this.#book.make(this.#options.signer, this.#now());
    if (made !== undefined) await this.#spread(made);
    return made;
  }

  /** Signs what came since the last checkpoint and waits a moment for the targets. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
    try {
      await this.make();
    } catch (error) {
      this.#failed(error);
    }
    await Promise.all(this.#senders.map(async (sender) => sender.close(closeMs)));
  }

  #tick(): Promise<void> {
    this.#running ??= this.#look()
      .then(
        () => (this.#isFailing = false),
        (error: unknown) => this.#failed(error),
      )
      .then(() => (this.#running = undefined));
    return this.#running;
  }

  async #look(): Promise<void> {
    const size = await this.#book.size();
    if (!this.#isDue(size)) return;
    // Another replica may have made one meanwhile.
    this.#latest = (await this.#book.latest()) ?? this.#latest;
    if (this.#isDue(size)) await this.make();
    else if (this.#latest !== undefined) await this.#spread(this.#latest);
  }

  #isDue(size: number): boolean {
    const { records, intervalMs } = this.#options;
    const last = this.#latest ?? { size: 0, atMs: 0 };
    return size > last.size && (size - last.size >= records || this.#now() - last.atMs >= intervalMs);
  }

  async #spread(checkpoint: StoredCheckpoint): Promise<void> {
    this.#latest = checkpoint;
    for (const sender of this.#senders) sender.offer(checkpoint);
    const { file } = this.#options;
    if (file === undefined || this.#filed >= checkpoint.size) return;
    await writeFile(`${file}.new`, checkpoint.note, { flush: true });
    await rename(`${file}.new`, file);
    this.#filed = checkpoint.size;
  }

  #failed(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.onEvent({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}
