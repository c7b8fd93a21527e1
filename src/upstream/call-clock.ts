import type { CancelSignal } from '../model/cancellation.ts';
/** What can end a call from our side. */
export interface CallLimits {
  readonly signal?: CancelSignal | undefined;
  readonly timeoutMs: number;
}

/**
 * Calls `onEnd` once when the time is over or the signal aborts, unless it is stopped first.
 */
export class CallClock {
  readonly #onEnd: (why: 'timeout' | 'cancelled') => void;
  readonly #signal: CancelSignal | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: CallLimits, onEnd: (why: 'timeout' | 'cancelled') => void) {
    this.#onEnd = onEnd;
    this.#signal = limits.signal;
    this.#timer = setTimeout(this.#onTimeout, limits.timeoutMs);
    this.#signal?.addEventListener('abort', this.#onAbort);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  readonly #onTimeout = (): void => {
    this.stop();
    this.#onEnd('timeout');
  };

  readonly #onAbort = (): void => {
    this.stop();
    this.#onEnd('cancelled');
  };
}
