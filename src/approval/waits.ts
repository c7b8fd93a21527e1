import type { Approval } from '../model/approval.ts';
import type { CancelSignal } from '../model/cancellation.ts';

type Read = () => Promise<Approval | undefined>;

interface Wait {
  readonly read: Read;
  readonly settle: (approval: Approval) => void;
  last: Approval;
}

const pollMs = 1_000;

/**
 * Those who wait for a decision: told at once of one that was made here, and within a second of one that was made elsewhere (another
 * replica, the command line) or by the clock.
 */
export class Waits {
  readonly #waits = new Map<string, Set<Wait>>();
  #poll: NodeJS.Timeout | undefined;

  /** Resolves when the approval leaves `pending`, else with its last known state when `signal` aborts or the waits are closed. */
  wait(first: Approval, read: Read, signal: CancelSignal): Promise<Approval> {
    if (first.state !== 'pending' || signal.aborted) return Promise.resolve(first);
    return new Promise((resolve) => {
      const key = keyOf(first);
      const aborted = (): void => wait.settle(wait.last);
      const wait: Wait = {
        read,
        last: first,
        settle: (approval) => {
          signal.removeEventListener('abort', aborted);
          this.#remove(key, wait);
          resolve(approval);
        },
      };
      signal.addEventListener('abort', aborted);
      this.#waits.set(key, (this.#waits.get(key) ?? new Set()).add(wait));
      this.#schedule();
    });
  }

  changed(approval: Approval): void {
    if (approval.state === 'pending') return;
    for (const wait of [...(this.#waits.get(keyOf(approval)) ?? [])]) wait.settle(approval);
  }

  close(): void {
    for (const waits of [...this.#waits.values()]) for (const wait of [...waits]) wait.settle(wait.last);
  }

  #schedule(): void {
    this.#poll ??= setTimeout(() => {
      void this.#look().finally(() => {
        this.#poll = undefined;
        if (this.#waits.size > 0) this.#schedule();
      });
    }, pollMs);
  }

  async #look(): Promise<void> {
    for (const waits of [...this.#waits.values()]) {
      const [first] = waits;
      if (first === undefined) continue;
      try {
        const found = await first.read();
        if (found === undefined) continue;
        for (const wait of waits) wait.last = found;
        this.changed(found);
      } catch {
        // The store is away: who waits goes on waiting, until it is back or they give up; nothing is let through meanwhile.
      }
    }
  }

  #remove(key: string, wait: Wait): void {
    const waits = this.#waits.get(key);
    waits?.delete(wait);
    if (waits?.size === 0) this.#waits.delete(key);
    if (this.#waits.size > 0) return;
    clearTimeout(this.#poll);
    this.#poll = undefined;
  }
}

function keyOf(approval: Approval): string {
  return JSON.stringify([approval.tenant, approval.id]);
}
