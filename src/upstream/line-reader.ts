/** What a line reader gives. */
export interface LineEvents {
  /** A whole line without its end. */
  onLine(line: Buffer): void;
  /** A line was over the limit; its rest is skipped. */
  onTooLong(): void;
}

/** Cuts a byte stream into lines, wherever it was split. Memory is bounded by the limit; what is over it is dropped to its end. */
export class LineReader {
  readonly #maxBytes: number;
  readonly #events: LineEvents;
  #parts: Buffer[] = [];
  #bytes = 0;
  #skipping = false;

  constructor(maxBytes: number, events: LineEvents) {
    this.#maxBytes = maxBytes;
    this.#events = events;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      this.#take(chunk.subarray(from, end));
      this.#finish();
      from = end + 1;
    }
    if (from < chunk.length) this.#take(chunk.subarray(from));
  }

  /** The stream ended: what is left is the last line. */
  end(): void {
    if (this.#bytes > 0) this.#finish();
  }

  #take(part: Buffer): void {
    if (this.#skipping || part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes <= this.#maxBytes) {
      this.#parts.push(part);
      return;
    }
    this.#skipping = true;
    this.#parts = [];
    this.#events.onTooLong();
  }

  #finish(): void {
    const { length } = this.#parts;
    let line = length === 1 && this.#parts[0] !== undefined ? this.#parts[0] : Buffer.concat(this.#parts);
    const skipped = this.#skipping;
    this.#parts = [];
    this.#bytes = 0;
    this.#skipping = false;
    if (line.at(-1) === 13) line = line.subarray(0, -1);
    if (!skipped && line.length > 0) this.#events.onLine(line);
  }
}
