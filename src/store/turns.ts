import { unavailable } from './store-fault.ts';

interface Waiter {
  readonly alone: boolean;
  readonly start: () => void;
}

/**
 * Turns on one connection, first come first served: statements may overlap, a transaction has it alone. Waiting ends after `maxWaitMs`
 * with `store.unavailable`, so that a statement that waits for the transaction it is itself part of is told, not hung.
 */
export class Turns {
  readonly #maxWaitMs: number;
  readonly #waiting: Waiter[] = [];
  #running = 0;
  #alone = false;

  constructor(maxWaitMs: number) {
    this.#maxWaitMs = maxWaitMs;
  }

  async take<T>(alone: boolean, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#free(alone)) await this.#wait(alone);
    else this.#enter(alone);
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#alone = false;
      this.#next();
    }
  }

  #free(alone: boolean): boolean {
    return !this.#alone && (!alone || this.#running === 0);
  }

  #enter(alone: boolean): void {
    this.#running += 1;
    this.#alone = alone;
  }

  #wait(alone: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(unavailable('the database is busy with another transaction; try again'));
        this.#next();
      }, this.#maxWaitMs);
      const waiter: Waiter = {
        alone,
        start: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waiting.push(waiter);
    });
  }

  #next(): void {
    for (let waiter = this.#waiting[0]; waiter !== undefined && this.#free(waiter.alone); waiter = this.#waiting[0]) {
      this.#waiting.shift();
      this.#enter(waiter.alone);
      waiter.start();
    }
  }
}
