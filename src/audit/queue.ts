import { GatewayError } from '../model/errors.ts';
import type { SaltedInput } from './sealed-handover.ts';
import type { AuditGroupReply } from './worker.ts';

/** Where a record is, durably. */
export interface Durable {
  readonly seq: number;
  /** 64 hex digits. */
  readonly hash: string;
}

/** What an operator wants to know of the log. */
export interface AuditStats {
  readonly waiting: number;
  /** Groups that failed and records that were handed over and lost, since the start. */
  readonly failedGroups: number;
  readonly lost: number;
  readonly lastFault: string | undefined;
  /** Whether the latest group failed: nothing has become durable since. */
  readonly isFailing: boolean;
}

/** A record on its way, and the input that is to be sealed with it. */
export interface Outbound {
  readonly text: string;
  readonly input: SaltedInput | undefined;
}

interface Entry extends Outbound {
  readonly ordinal: number;
  readonly atMs: number;
  readonly asked: boolean;
  /** Not there for a record that was handed over, nor after the caller was refused. */
  waiter: { readonly resolve: (durable: Durable) => void; readonly reject: (error: Error) => void } | undefined;
  /** Set when a group with this record failed: whether it is durable is not known. */
  again: boolean;
}

interface Flusher {
  readonly untilOrdinal: number;
  readonly atMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface AuditQueueOptions {
  /** Writes a group, one at a time; the first `again` records may be in the log already. */
  readonly send: (group: readonly Outbound[], again: number) => Promise<AuditGroupReply>;
  readonly maxWaiting: number;
  readonly deadlineMs: number;
}

const maxGroup = 512;
const sweepMs = 100;
const pauseAfterFailureMs = 200;
/** Records that nobody waits for wait this long for one that somebody does: then both cost one flush of the disk. */
const lingerMs = 25;
/**
 * Where so many callers come again and again, the next group waits this long for all of them: one flush then serves them all (PostgreSQL calls
 * it `commit_siblings` and `commit_delay`). Fewer callers never wait for each other.
 */
const siblings = 4;
const gatherMs = 3;
const hashChars = 64;

/**
 * Records on their way to the disk, in order. One group is on its way at a time; the next one forms meanwhile. When a group fails, those who
 * wait on it are refused, and what was handed over goes to the front of the next group.
 */
export class AuditQueue {
  readonly #options: AuditQueueOptions;
  readonly #flushers: Flusher[] = [];
  #waiting: Entry[] = [];
  #flying: Entry[] = [];
  #scheduled = false;
  #sweeper: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #lingering: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  /** So many callers end the gathering. */
  #enough = 0;
  /** So many callers wait for what waits here. */
  #callers = 0;
  #lastOrdinal = 0;
  #failedGroups = 0;
  #lost = 0;
  #lostUntold = false;
  #lastFault: string | undefined;
  #isFailing = false;
  #closed = false;
  #ended = false;

  constructor(options: AuditQueueOptions) {
    this.#options = options;
  }

  append(text: string, input?: SaltedInput): Promise<Durable> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw unavailable('the audit log is closed');
      if (this.#lostUntold) {
        this.#lostUntold = false;
        throw unavailable('a record that was handed over to the audit log was lost');
      }
      if (this.#waiting.length >= this.#options.maxWaiting) throw unavailable('too many records wait for the disk of the audit log');
      this.#push(text, input, { resolve, reject });
    });
  }

  hand(text: string, input?: SaltedInput): void {
    if (this.#closed || this.#waiting.length >= this.#options.maxWaiting) this.#lose();
    else this.#push(text, input, undefined);
  }

  flush(): Promise<void> {
    if (this.#flying.length === 0 && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#flushers.push({ untilOrdinal: this.#lastOrdinal, atMs: performance.now(), resolve, reject });
      this.#schedule();
      this.#watch();
    });
  }

  stats(): AuditStats {
    const waiting = this.#waiting.length + this.#flying.length;
    return { waiting, failedGroups: this.#failedGroups, lost: this.#lost, lastFault: this.#lastFault, isFailing: this.#isFailing };
  }

  /** Refuses new records, writes what waits. @throws GatewayError `audit.unavailable` when some could not be written in time */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.flush();
    } finally {
      this.#ended = true;
      this.#lost += this.#waiting.length + this.#flying.length;
      for (const entry of this.#waiting.splice(0)) refuse(entry, 'the audit log is closed');
      clearTimeout(this.#pause);
      clearTimeout(this.#lingering);
      clearTimeout(this.#gathering);
      clearInterval(this.#sweeper);
    }
  }

  #push(text: string, input: SaltedInput | undefined, waiter: Entry['waiter']): void {
    this.#waiting.push({
      text,
      input,
      ordinal: ++this.#lastOrdinal,
      atMs: performance.now(),
      asked: waiter !== undefined,
      waiter,
      again: false,
    });
    this.#watch();
    if (waiter !== undefined) this.#callers += 1;
    this.#next();
  }

  /** Sends soon what somebody waits for, and later what nobody does. */
  #next(): void {
    if (this.#callers > 0 || this.#flushers.length > 0 || this.#waiting.length >= maxGroup) this.#schedule();
    else if (this.#waiting.length > 0) {
      this.#lingering ??= setTimeout(() => {
        this.#lingering = undefined;
        this.#schedule();
      }, lingerMs);
    }
  }

  #schedule(): void {
    if (this.#gathering !== undefined) {
      if (this.#callers < this.#enough && this.#waiting.length < maxGroup) return;
      clearTimeout(this.#gathering);
      this.#gathering = undefined;
    }
    if (this.#scheduled || this.#pause !== undefined || this.#flying.length > 0) return;
    this.#scheduled = true;
    // Not at once: what the rest of this turn of the event loop appends goes into the same message and the same commit.
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#ended || this.#flying.length > 0 || this.#waiting.length === 0) return;
    const group = this.#waiting.length <= maxGroup ? this.#waiting : this.#waiting.slice(0, maxGroup);
    this.#waiting = group === this.#waiting ? [] : this.#waiting.slice(maxGroup);
    this.#callers = callersOf(this.#waiting);
    this.#flying = group;
    const again = group.findIndex((entry) => !entry.again);
    void this.#options.send(group, again < 0 ? group.length : again).then((reply) => this.#settle(group, reply));
  }

  #settle(group: readonly Entry[], reply: AuditGroupReply): void {
    this.#flying = [];
    if ('failed' in reply) this.#fail(group, reply.failed);
    else this.#succeed(group, reply.seqs, reply.hashes);
    this.#releaseFlushers();
    if (this.#pause !== undefined) return;
    const callers = callersOf(group) + this.#callers;
    if (callers >= siblings && this.#callers < callers) this.#gather(callers);
    else if (this.#callers > 0) this.#send();
    else this.#next();
  }

  #gather(enough: number): void {
    this.#enough = enough;
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      this.#next();
    }, gatherMs);
  }

  #succeed(group: readonly Entry[], seqs: readonly number[], hashes: string): void {
    this.#isFailing = false;
    for (const [index, entry] of group.entries()) {
      const seq = seqs[index] ?? 0;
      if (seq > 0) entry.waiter?.resolve({ seq, hash: hashes.slice(index * hashChars, (index + 1) * hashChars) });
      else if (entry.asked) refuse(entry, 'the database refuses this audit record');
      else this.#lose();
    }
  }

  #fail(group: readonly Entry[], fault: string): void {
    this.#failedGroups += 1;
    this.#lastFault = fault;
    this.#isFailing = true;
    const kept: Entry[] = [];
    for (const entry of group) {
      if (entry.asked) {
        refuse(entry, 'the audit log cannot be written, so nothing is let through; see the log for the fault of its database', fault);
      } else {
        entry.again = true;
        kept.push(entry);
      }
    }
    this.#waiting = kept.concat(this.#waiting);
    if (this.#ended) return;
    // A database that refuses at once must not be asked in a tight loop.
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#send();
    }, pauseAfterFailureMs);
  }

  #lose(): void {
    this.#lost += 1;
    this.#lostUntold = true;
  }

  #releaseFlushers(): void {
    const next = (this.#flying[0] ?? this.#waiting[0])?.ordinal ?? Infinity;
    for (let flusher = this.#flushers[0]; flusher !== undefined && flusher.untilOrdinal < next; flusher = this.#flushers[0]) {
      this.#flushers.shift();
      flusher.resolve();
    }
  }

  /** While anybody waits, looks now and then whether they have waited too long: a timer for each record would cost more than the record. */
  #watch(): void {
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs);
  }

  #sweep(): void {
    const sinceMs = performance.now() - this.#options.deadlineMs + sweepMs;
    const late = (entry: Entry): boolean => entry.asked && entry.atMs < sinceMs;
    const words = 'the audit log did not become durable in time, so nothing is let through';
    for (const entry of this.#flying) if (late(entry)) refuse(entry, words, this.#lastFault);
    // What was refused and not yet sent is not written: its call does not take place.
    for (const entry of this.#waiting) if (late(entry)) refuse(entry, words, this.#lastFault);
    if (this.#waiting.some(late)) {
      this.#waiting = this.#waiting.filter((entry) => !late(entry));
      this.#callers = callersOf(this.#waiting);
    }
    this.#releaseFlushers();
    while ((this.#flushers[0]?.atMs ?? Infinity) < sinceMs) this.#flushers.shift()?.reject(unavailable(words));
    if (this.#waiting.length > 0 || this.#flying.length > 0 || this.#flushers.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

function callersOf(entries: readonly Entry[]): number {
  return entries.reduce((count, entry) => count + Number(entry.asked), 0);
}

function refuse(entry: Entry, words: string, fault?: string): void {
  entry.waiter?.reject(unavailable(words, fault));
  entry.waiter = undefined;
}

function unavailable(words: string, fault?: string): GatewayError {
  return new GatewayError('audit.unavailable', words, fault === undefined ? {} : { cause: new Error(fault) });
}
