import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';

/** An answer that is too long to be one value: it goes out as it is made, as fast as it is taken. */
export class Streamed {
  readonly #type: string;
  readonly #chunks: AsyncIterable<Uint8Array>;

  constructor(type: string, chunks: AsyncIterable<Uint8Array>) {
    this.#type = type;
    this.#chunks = chunks;
  }

  /** Resolves when all of it is out. A fault on the way breaks the connection, so that nobody takes a part for the whole. */
  async send(response: Response): Promise<void> {
    response.writeHead(200, { 'content-type': this.#type, 'cache-control': 'no-store' });
    await pipeline(Readable.from(this.#chunks), response);
  }
}
