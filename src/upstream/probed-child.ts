import type { JsonObject } from '../model/json.ts';
import { Child, type ChildEvents } from './child.ts';
import type { ProcessGroups } from './process-groups.ts';
import type { UpstreamTransport } from './types.ts';

const maxKeptLines = 50;

/** A program that was started to be asked something, and that can be handed over to whoever goes on with it. */
export class ProbedChild {
  readonly child: Child;
  /** What it answered to `server/discover`. */
  discovered: JsonObject = {};
  readonly #stderr: string[] = [];
  #ears: ChildEvents;
  #ended: { readonly why: string; readonly started: boolean } | undefined;

  constructor(
    transport: Extract<UpstreamTransport, { kind: 'stdio' }>,
    maxLineBytes: number,
    groups: ProcessGroups,
    ears: Omit<ChildEvents, 'onStderr'>,
  ) {
    this.#ears = {
      ...ears,
      onStderr: (line) => {
        if (this.#stderr.length < maxKeptLines) this.#stderr.push(line);
      },
    };
    this.child = new Child(transport, maxLineBytes, groups, {
      onLine: (line) => this.#ears.onLine(line),
      onTooLong: () => this.#ears.onTooLong(),
      onStderr: (line) => this.#ears.onStderr(line),
      onExit: (why, started) => {
        this.#ended = { why, started };
        this.#ears.onExit(why, started);
      },
    });
  }

  get isAlive(): boolean {
    return this.#ended === undefined;
  }

  /** From now on `ears` hear it; what it wrote to standard error so far comes first. */
  hand(ears: ChildEvents): Child {
    this.#ears = ears;
    for (const line of this.#stderr.splice(0)) ears.onStderr(line);
    return this.child;
  }
}
