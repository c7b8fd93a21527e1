import { compileModule } from '../model/compile-module.ts';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliDecompress, brotliDecompressSync } from 'node:zlib';

const pageBytes = 65_536;
const memorySection = 5;

/**
 * The OPA module that ships beside this file, decompressed and compiled; its memory can grow to `maxMemoryBytes` and no further.
 * Synchronous: about 0.2 s, so it belongs in a thread or process of its own.
 * @throws Error when the artefact is missing or is not a module
 */
export function compileOpaModule(maxMemoryBytes: number): WebAssembly.Module {
  const packed = readFileSync(new URL('./opa.wasm.br', import.meta.url));
  const raw = brotliDecompressSync(packed, { chunkSize: 8 * 1024 * 1024 });
  return new WebAssembly.Module(withMemoryLimit(raw, Math.floor(maxMemoryBytes / pageBytes)));
}

/** The same without keeping the calling thread busy: for the thread that serves calls. */
export async function loadOpaModule(maxMemoryBytes: number): Promise<WebAssembly.Module> {
  const packed = await readFile(new URL('./opa.wasm.br', import.meta.url));
  const raw = await promisify(brotliDecompress)(packed, { chunkSize: 8 * 1024 * 1024 });
  return compileModule(withMemoryLimit(raw, Math.floor(maxMemoryBytes / pageBytes)));
}

/**
 * The module with a maximum in its memory section. The Go linker writes none, and a policy that allocates without end would take
 * 4 GB before it fails; with a maximum, the module ends itself and its host starts another.
 */
export function withMemoryLimit(module: Uint8Array, maxPages: number): Uint8Array<ArrayBuffer> {
  let at = 8;
  while (at < module.length) {
    const id = module[at];
    const size = readLeb(module, at + 1);
    const end = size.next + size.value;
    if (id === memorySection) {
      const count = readLeb(module, size.next);
      const flags = module[count.next] ?? 0;
      if (count.value !== 1 || flags !== 0) throw new Error('the module has not exactly one unlimited memory of its own');
      const minPages = readLeb(module, count.next + 1).value;
      const body = [1, 1, ...writeLeb(minPages), ...writeLeb(Math.max(minPages, maxPages))];
      return new Uint8Array(
        Buffer.concat([module.subarray(0, at), Uint8Array.of(memorySection, ...writeLeb(body.length), ...body), module.subarray(end)]),
      );
    }
    at = end;
  }
  throw new Error('the module has no memory section');
}

function readLeb(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined || shift > 28) throw new Error('the module is cut short');
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return { value, next: at };
  }
}

function writeLeb(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value & 127;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 128);
  } while (value !== 0);
  return bytes;
}
