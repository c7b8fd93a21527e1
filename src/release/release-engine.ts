import type { Entrypoint } from '../model/decision.ts';
import type { Evaluation, PolicyEngine } from '../model/ports.ts';

/**
 * The engine of one release, through its whole life. After {@link ReleaseEngine.retire} its workers end once nobody has asked for
 * `idleMs`; a call that began under this release and comes back later (a tool may take minutes) starts them again: its result is judged by
 * the release that judged the call, and a swap never costs a call its answer.
 */
export class ReleaseEngine implements PolicyEngine {
  readonly #open: () => Promise<PolicyEngine>;
  readonly #idleMs: number;
  readonly #failed: (inputJson: string, fault: Evaluation<unknown>) => void;
  /** A promise only where it was opened again: waiting for what is there costs each evaluation a turn of the microtask queue. */
  #inner: PolicyEngine | Promise<PolicyEngine> | undefined;
  #using = 0;
  #isRetired = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  /** `failed` is told of evaluations that took more time or memory than they may have. */
  constructor(
    first: PolicyEngine,
    open: () => Promise<PolicyEngine>,
    idleMs: number,
    failed: (inputJson: string, fault: Evaluation<unknown>) => void = () => undefined,
  ) {
    this.#inner = first;
    this.#open = open;
    this.#idleMs = idleMs;
    this.#failed = failed;
  }

  async evaluate<Answer>(entry: Entrypoint, inputJson: string, deadlineMs: number): Promise<Evaluation<Answer>> {
    if (this.#isClosed) return { ok: false, fault: 'no_release', message: 'this release was closed', tookMs: 0 };
    this.#using++;
    clearTimeout(this.#timer);
    try {
      const inner = (this.#inner ??= this.#open());
      const engine = inner instanceof Promise ? await inner : inner;
      // The entrypoint and its answer's type go together in the port's overloads; here one body serves them all.
      const given = (await engine.evaluate(entry as 'gateway/call', inputJson, deadlineMs)) as Evaluation<never>;
      if (!given.ok && (given.fault === 'timeout' || given.fault === 'memory')) this.#failed(inputJson, given);
      return given;
    } catch (cause) {
      this.#inner = undefined;
      const message = `the retired release could not be started again: ${cause instanceof Error ? cause.message : String(cause)}`;
      return { ok: false, fault: 'no_release', message, tookMs: 0 };
    } finally {
      this.#using--;
      this.#rest();
    }
  }

  /** Another release is in force: end the workers when they are idle. */
  retire(): void {
    this.#isRetired = true;
    this.#rest();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#end();
  }

  #rest(): void {
    if (!this.#isRetired || this.#using > 0 || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#end(), this.#idleMs).unref();
  }

  async #end(): Promise<void> {
    const inner = this.#inner;
    this.#inner = undefined;
    try {
      await (await inner)?.close();
    } catch {
      // It never came up, so there is nothing to end; who asked it was told.
    }
  }
}
