import { compileModule } from '../model/compile-module.ts';
import { loadWasmPolicy } from '../policy/wasm.ts';
import { createBuiltinCaller } from '../rego/builtins.ts';
import type { Opa } from '../rego/opa.ts';
import { servedBuiltins } from '../rego/served-builtins.ts';
import type { EngineTools } from '../workshop/two-engines.ts';

const maxMemoryBytes = 256 * 1_048_576;

/** The compiler, and the engine in this thread with all of OPA's builtins: to ask both engines the same. */
export async function engineTools(opa: Opa): Promise<EngineTools> {
  const names = new Set(servedBuiltins);
  const module = await opa.module();
  const caller = createBuiltinCaller(module, { notation: 'rego' });
  const compiled = new WeakMap<Uint8Array, WebAssembly.Module>();
  return {
    build: (query) => opa.build(query),
    async load(wasm, dataJson, wanted) {
      const policyModule = compiled.get(wasm) ?? (await compileModule(wasm));
      compiled.set(wasm, policyModule);
      return loadWasmPolicy({
        module: policyModule,
        dataJson,
        entrypoints: wanted,
        maxMemoryBytes,
        builtins: { names, caller: () => caller },
      });
    },
  };
}
