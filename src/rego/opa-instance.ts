import { ConsoleStdout, File, OpenFile, WASI } from '@bjorn3/browser_wasi_shim';

interface OpaExports {
  readonly memory: WebAssembly.Memory;
  readonly castellan_alloc: (size: number) => number;
  readonly castellan_free: (address: number) => void;
  readonly castellan_call: (address: number, size: number) => bigint;
  readonly castellan_builtin: (address: number, size: number) => bigint;
}

const maxErrorTextBytes = 4_000;

/**
 * One running OPA module with a WASI of its own: no files, no sockets, no environment; only the clock and random bytes of the host.
 * Not re-entrant. After a call has thrown, the module is dead and has to be replaced.
 */
export class OpaInstance {
  readonly #exports: OpaExports;
  #errorText = '';

  constructor(module: WebAssembly.Module) {
    const errors = new ConsoleStdout((bytes) => {
      this.#errorText = (this.#errorText + Buffer.from(bytes).toString()).slice(0, maxErrorTextBytes);
    });
    const wasi = new WASI([], ['GOGC=200'], [new OpenFile(new File([])), errors, errors], { debug: false });
    const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi.wasiImport });
    const exports = instance.exports as unknown as OpaExports;
    wasi.initialize({ exports: { memory: exports.memory, _initialize: instance.exports['_initialize'] as () => unknown } });
    this.#exports = exports;
  }

  /** Bytes of linear memory; it never shrinks. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** One JSON request to one JSON response: `{value}` or `{error}`. @throws Error when the module died */
  call(request: string): string {
    return Buffer.from(this.#send(Buffer.from(request), 'castellan_call')).toString();
  }

  /** The same with the frames of `castellan_builtin` (src/rego/opa/builtin.go). @throws Error when the module died */
  callBuiltin(frame: Uint8Array): Uint8Array {
    return this.#send(frame, 'castellan_builtin');
  }

  #send(request: Uint8Array, entry: 'castellan_call' | 'castellan_builtin'): Uint8Array {
    const { memory, castellan_alloc, castellan_free, [entry]: call } = this.#exports;
    try {
      const address = castellan_alloc(request.length) >>> 0;
      new Uint8Array(memory.buffer, address, request.length).set(request);
      const packed = BigInt.asUintN(64, call(address, request.length));
      const answerAddress = Number(packed >> 32n);
      const answer = new Uint8Array(memory.buffer, answerAddress, Number(packed & 0xffff_ffffn)).slice();
      castellan_free(answerAddress);
      return answer;
    } catch (error) {
      const why = this.#errorText.split('\n', 1)[0] ?? '';
      throw new Error(`the OPA module ended: ${why === '' ? String(error) : why}`, { cause: error });
    }
  }
}
