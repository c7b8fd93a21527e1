/**
 * Compiles a WebAssembly module, and keeps the process alive until it is done: V8 compiles in threads of its own, which do not, and a command
 * that waits for nothing else would end before it.
 * @throws WebAssembly.CompileError
 */
export async function compileModule(wasm: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  const alive = setInterval(() => undefined, 1_000);
  try {
    return await WebAssembly.compile(wasm);
  } finally {
    clearInterval(alive);
  }
}
