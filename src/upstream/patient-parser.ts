import { setFlagsFromString } from 'node:v8';
import parser from 'undici/lib/llhttp/llhttp_simd-wasm.js';

/** V8's `--wasm-tiering-budget`: how much of a function runs before it is optimised. */
export const budget = { default: 13_000_000, patient: 2_000_000_000 } as const;

/**
 * Undici's HTTP parser, compiled so that V8 optimises it after some hundred answers and not after the second. One function of 34 kB is the whole
 * parser: optimising it takes 40 MB, of which an idle gateway would keep 20, and a tenth of a second of its start. Undici's own compilation of
 * the same bytes shares the code for as long as this module is held.
 */
export function patientParser(): WebAssembly.Module | undefined {
  setFlagsFromString(`--wasm-tiering-budget=${budget.patient}`);
  try {
    return new WebAssembly.Module(parser);
  } catch {
    // A machine without SIMD: undici takes another parser there.
    return undefined;
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${budget.default}`);
  }
}
