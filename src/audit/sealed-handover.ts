import { randomUUID } from 'node:crypto';
import type { Entrypoint } from '../model/decision.ts';
import { entrypoints } from '../model/decision.ts';
import type { KeptInput } from '../model/kept-input.ts';
import type { HandedInput } from './sealed-writer.ts';

/** The inputs of a group in one message. Texts hold no line feeds, so lines keep them apart. */
export interface HandedInputs {
  /** The number of the first part that is told; 0: what was told before is forgotten. */
  readonly from: number;
  /** Parts that are told with this message, a line each; absent where there are none. */
  readonly parts: string | undefined;
  /** Two lines for each input: entrypoint, salt and what was masked; then the text, with {@link partMark} where a part stands. */
  readonly inputs: string;
  /** The parts' numbers, in the order of their marks. */
  readonly refs: Uint32Array;
  /** Which records of the group they belong to. */
  readonly of: readonly number[];
}

/** A record's input with its salt: the same each time that it is sent. */
export interface SaltedInput {
  readonly salt: string;
  readonly input: KeptInput;
}

/** Stands for a part in a text: JSON text holds no control characters. */
const partMark = '\x01';
// The worker holds what it was told; beyond this it starts anew, and is told again what is still in use.
const maxToldParts = 20_000;
const maxToldChars = 8 * 1_048_576;

/** Gives an input its salt: 122 random bits, from the pool that Node keeps for UUIDs. */
export function salted(input: KeptInput): SaltedInput {
  return { salt: randomUUID().replaceAll('-', ''), input };
}

/** What one worker was told of parts, on the side of the thread that tells it. A new worker needs a new one. */
export class Handover {
  #told: object = {};
  #count = 0;
  #chars = 0;

  /** The message of a group; `undefined` where no record of it has an input. */
  pack(inputs: readonly (SaltedInput | undefined)[]): HandedInputs | undefined {
    if (this.#count > maxToldParts || this.#chars > maxToldChars) {
      this.#told = {};
      this.#count = this.#chars = 0;
    }
    const from = this.#count;
    const parts: string[] = [];
    const of: number[] = [];
    const refs: number[] = [];
    let lines = '';
    for (const [index, salted] of inputs.entries()) {
      if (salted === undefined) continue;
      const { salt, input } = salted;
      of.push(index);
      lines += `${lines === '' ? '' : '\n'}${entrypoints.indexOf(input.entry)} ${salt} ${input.masked === undefined ? '' : JSON.stringify(input.masked)}\n`;
      for (const piece of input.pieces) {
        if (typeof piece === 'string') {
          lines += piece;
          continue;
        }
        let id = piece.knownTo(this.#told);
        if (id === undefined) {
          id = this.#count++;
          this.#chars += piece.text.length;
          piece.tell(this.#told, id);
          parts.push(piece.text);
        }
        lines += partMark;
        refs.push(id);
      }
    }
    if (of.length === 0) return undefined;
    return { from, parts: parts.length === 0 ? undefined : parts.join('\n'), inputs: lines, refs: Uint32Array.from(refs), of };
  }
}

/** The inputs of a message, by the record of the group that they belong to. */
export function unpack({ inputs, refs, of }: HandedInputs): Map<number, HandedInput> {
  const lines = inputs.split('\n');
  const unpacked = new Map<number, HandedInput>();
  let next = 0;
  of.forEach((index, at) => {
    const [code = '', salt = '', masked = ''] = (lines[2 * at] ?? '').split(' ', 3);
    const entry: Entrypoint = entrypoints[Number(code)] ?? 'gateway/call';
    const rest = masked === '' ? undefined : (JSON.parse((lines[2 * at] ?? '').slice(code.length + salt.length + 2)) as string[]);
    const texts = (lines[2 * at + 1] ?? '').split(partMark);
    unpacked.set(index, { entry, salt, masked: rest, texts, parts: refs.subarray(next, (next += texts.length - 1)) });
  });
  return unpacked;
}
