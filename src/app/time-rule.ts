import { Opa, RegoError } from '../rego/opa.ts';
import type { TimeRule } from '../release/culprit.ts';

const maxMemoryBytes = 512 * 1024 * 1024;
/** Compiling a policy, which is not the rule's time. */
const compileLimitMs = 30_000;
const idleMs = 5_000;

/**
 * Times single rules in an OPA of its own, so that one which loops holds up no compilation. It is started when it is needed and ended when it has
 * been idle.
 */
export class RuleTimer {
  #opa: Opa | undefined;
  #timer: NodeJS.Timeout | undefined;

  readonly time: TimeRule = async ({ files, path, inputJson, limitMs }) => {
    clearTimeout(this.#timer);
    const opa = (this.#opa ??= new Opa({ maxMemoryBytes }));
    const ask = async (query: string, timeoutMs: number): Promise<unknown> =>
      opa.eval({ files, bundle: true, query, input: inputJson }, { timeoutMs });
    try {
      await ask('true', compileLimitMs);
      const began = performance.now();
      try {
        await ask(`data.${path.replaceAll('/', '.')}`, limitMs);
      } catch (error) {
        if (!(error instanceof RegoError) || error.kind === 'closed') throw error;
        if (error.kind === 'timeout' || error.kind === 'died') return 'over';
      }
      return performance.now() - began;
    } finally {
      this.#timer = setTimeout(() => void this.close(), idleMs).unref();
    }
  };

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const opa = this.#opa;
    this.#opa = undefined;
    await opa?.close();
  }
}
