import { Opa, type Build } from '../../src/rego/opa.ts';
import { createPolicyEngine, type EngineOptions } from '../../src/policy/pool.ts';
import type { WorkerBuiltins } from '../../src/policy/protocol.ts';
import type { PolicyEngine } from '../../src/model/ports.ts';

/** Rego to WASM with the OPA that ships with the gateway. One for a test file: its worker takes a second to start. */
export class Compiler {
  readonly #opa = new Opa();
  #builtins: WorkerBuiltins | undefined;

  get opa(): Opa {
    return this.#opa;
  }

  async build(source: string, entrypoints: readonly string[] = ['gateway/call'], data = '{}'): Promise<Build> {
    return await this.#opa.build({ files: { 'gateway/policy.rego': `package gateway\n\n${source}`, 'data.json': data }, entrypoints });
  }

  async builtins(): Promise<WorkerBuiltins> {
    this.#builtins ??= {
      names: (await this.#opa.version()).builtins,
      callerUrl: new URL('../../src/rego/builtins.ts', import.meta.url).href,
      module: await this.#opa.module(),
    };
    return this.#builtins;
  }

  /** An engine over `source`, with all builtins. */
  async engine(source: string, options: Partial<EngineOptions> = {}, entrypoints?: readonly string[]): Promise<PolicyEngine> {
    const built = await this.build(source, entrypoints);
    const module = await WebAssembly.compile(built.wasm);
    return await createPolicyEngine({ module, dataJson: built.data, builtins: await this.builtins(), ...options });
  }

  async close(): Promise<void> {
    await this.#opa.close();
  }
}

/** The parts of a decision that a test does not speak of. */
export const plainDecision = { version: 1, reasons: [], redactions: [], approval: null, labels: [], limits: [], dry_run: [] };

/** Rego text of an allow. */
export const allowText =
  '{"version": 1, "effect": "allow", "reasons": [], "redactions": [], "approval": null, "labels": [], "limits": [], "dry_run": []}';
