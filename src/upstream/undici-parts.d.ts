/** The module of undici that has the pool alone: without what the whole package adds to it, such as `request`. */
declare module 'undici/lib/dispatcher/pool.js' {
  import type { Dispatcher, Pool } from 'undici';

  const pool: new (...given: ConstructorParameters<typeof Pool>) => Pick<Dispatcher, 'dispatch' | 'close' | 'destroy'>;
  export default pool;
}

/** The bytes of undici's HTTP parser. */
declare module 'undici/lib/llhttp/llhttp_simd-wasm.js' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
