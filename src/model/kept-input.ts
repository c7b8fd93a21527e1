import type { Entrypoint } from './decision.ts';
import type { TextPart } from './text-part.ts';

/** The whole input of a decision on its way into the audit log: joined, the pieces are its JSON text. */
export interface KeptInput {
  readonly entry: Entrypoint;
  readonly pieces: readonly (string | TextPart)[];
  /** Places that policy's mask changed before; absent where the input is whole. */
  readonly masked?: readonly string[];
}
