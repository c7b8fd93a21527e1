import type { SinkCursor } from './cursor.ts';
import { SinkFault, type Sink, type SinkOptions, type SinkRecord } from './sink.ts';

/** The log, as a sink reads it. */
export interface SinkLog {
  /** Records with higher numbers, oldest first. */
  readonly after: (seq: number, limit: number) => Promise<readonly SinkRecord[]>;
  /** The number of the last record. */
  readonly head: () => Promise<number>;
}

/** What became of one sink since the start. */
export interface SinkState {
  readonly name: string;
  readonly sent: number;
  readonly failures: number;
  /** Records that the other side refuses even alone, because they are too large: passed over. */
  readonly dropped: number;
  /** Records that are in the log and not with the other side. */
  readonly lag: number;
  /** Whether this process is the one that feeds it. */
  readonly isHeld: boolean;
}

export interface PumpPorts {
  readonly log: SinkLog;
  readonly cursor: SinkCursor;
  readonly sink: Sink;
  readonly options: SinkOptions;
  /** Told of trouble, and of its end. */
  readonly onFault: (sink: string, error: unknown, failures: number) => void;
  readonly onRecovered: (sink: string, failures: number) => void;
  readonly onDropped: (sink: string, seq: number) => void;
  readonly timing?: Partial<PumpTiming>;
}

interface PumpTiming {
  readonly idleMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

/** A cursor is kept by asking for it: more often than its lease ends. */
const maxPauseMs = 5_000;
const usualTiming: PumpTiming = { idleMs: 500, retryMinMs: 500, retryMaxMs: 60_000 };

/**
 * Feeds one sink from the log: a batch is read, sent, and only then does the cursor move, so that each record arrives at least once, across a
 * restart of either side. The log is the buffer: nothing is kept here, and a sink that is away costs no memory and no call's time.
 */
export class Pump {
  readonly #ports: PumpPorts;
  readonly #timing: PumpTiming;
  readonly #stopped = Promise.withResolvers<undefined>();
  #stopping = false;
  #running: Promise<void> | undefined;
  #at: number | undefined;
  #head = 0;
  #sent = 0;
  #failures = 0;
  #dropped = 0;
  #failed = 0;
  #size: number;

  constructor(ports: PumpPorts) {
    this.#ports = ports;
    this.#timing = { ...usualTiming, ...ports.timing };
    this.#size = ports.options.batchRecords;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  get state(): SinkState {
    const lag = Math.max(0, this.#head - (this.#at ?? this.#head));
    return {
      name: this.#ports.options.name,
      sent: this.#sent,
      failures: this.#failures,
      dropped: this.#dropped,
      lag,
      isHeld: this.#at !== undefined,
    };
  }

  /** Ends after the batch that is on its way; lets another replica go on at once. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stopped.resolve(undefined);
    await this.#running;
    await this.#ports.sink.close();
    // Another replica takes over when the lease ends, if not now.
    await this.#ports.cursor.release().catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      let waitMs: number;
      try {
        waitMs = await this.#step();
        if (this.#failed > 0) this.#ports.onRecovered(this.#ports.options.name, this.#failed);
        this.#failed = 0;
      } catch (error) {
        this.#failures++;
        this.#failed++;
        this.#ports.onFault(this.#ports.options.name, error, this.#failed);
        const backOffMs = Math.min(this.#timing.retryMinMs * 2 ** (this.#failed - 1), this.#timing.retryMaxMs);
        waitMs = error instanceof SinkFault && error.retryAfterMs !== undefined ? Math.max(error.retryAfterMs, backOffMs) : backOffMs;
      }
      if (waitMs > 0) await this.#pause(waitMs);
    }
  }

  /** One look at the log; gives how long to wait before the next. */
  async #step(): Promise<number> {
    const { log, cursor, options } = this.#ports;
    this.#head = await log.head();
    this.#at = await cursor.take(options.from === 'start' ? 0 : this.#head, Date.now());
    if (this.#at === undefined) return this.#timing.idleMs;
    if (this.#head <= this.#at) return this.#timing.idleMs;
    const found = await this.#gather(this.#at);
    // Numbers without a record are those whose text retention took away: they are passed over.
    const upTo = found.length < this.#size ? this.#head : (found.at(-1)?.seq ?? this.#head);
    const reached = Math.max(upTo, found.at(-1)?.seq ?? 0);
    if (reached <= this.#at) return this.#timing.idleMs;
    const wanted = found.filter(({ record }) => options.kinds.includes(record.kind));
    if (wanted.length > 0 && !(await this.#send(wanted))) return 0;
    this.#sent += wanted.length;
    if (await cursor.advance(reached, Date.now())) this.#at = reached;
    this.#size = Math.min(this.#size * 2, options.batchRecords);
    return 0;
  }

  /** What is to be sent next: as soon as it makes a full batch, else when its time is over. */
  async #gather(at: number): Promise<readonly SinkRecord[]> {
    const { log, cursor, options } = this.#ports;
    const untilMs = performance.now() + options.gatherMs;
    for (;;) {
      const found = await log.after(at, this.#size);
      const leftMs = untilMs - performance.now();
      if (found.length >= this.#size || leftMs <= 0 || this.#stopping) return found;
      await this.#pause(Math.min(leftMs, maxPauseMs));
      this.#head = await log.head();
      // Kept while it waits; whoever took it over meanwhile goes on from here.
      if ((await cursor.take(at, Date.now())) !== at) return [];
    }
  }

  /** False when the batch was too large and half of it is to be tried. */
  async #send(batch: readonly SinkRecord[]): Promise<boolean> {
    try {
      await this.#ports.sink.send(batch);
      return true;
    } catch (error) {
      if (!(error instanceof SinkFault) || !error.tooLarge) throw error;
      if (this.#size > 1) {
        this.#size = Math.max(1, Math.floor(Math.min(this.#size, batch.length) / 2));
        return false;
      }
      this.#dropped += batch.length;
      this.#sent -= batch.length;
      this.#ports.onDropped(this.#ports.options.name, batch[0]?.seq ?? 0);
      return true;
    }
  }

  async #pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const slept = new Promise<void>((wake) => (timer = setTimeout(wake, ms)));
    await Promise.race([slept, this.#stopped.promise]);
    clearTimeout(timer);
  }
}
