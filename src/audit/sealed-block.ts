import type { KeyObject } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Entrypoint } from '../model/decision.ts';
import { blockDictionary } from './sealed-dictionary.ts';
import { openBytes, sealBytes } from './sealed-keys.ts';

/** One input inside a block. Its text has references in the place of parts, see {@link referTo}. */
export interface SealedItem {
  readonly seq: number;
  readonly call: string;
  readonly entry: Entrypoint;
  /** 32 hex digits. */
  readonly salt: string;
  /** What policy's mask changed; `undefined` where nothing. */
  readonly masked: readonly string[] | undefined;
  readonly text: string;
}

/** What one commit sealed of one day: inputs, and the parts that appear in them for the first time that day. */
export interface Block {
  readonly parts: readonly string[];
  readonly items: readonly SealedItem[];
}

/** Where a part lies: in which block, by its first record, and at which place in it. */
export interface PartPlace {
  readonly firstSeq: number;
  readonly index: number;
}

/** What a block is sealed for; nothing opens as another's. */
export interface BlockPlace {
  readonly tenant: string;
  readonly log: string;
  readonly day: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

const format = 1;
const entryCodes: readonly Entrypoint[] = ['gateway/call', 'gateway/result', 'gateway/message', 'gateway/list', 'gateway/mask'];
// JSON text holds no control characters, so these cannot be mistaken for it.
const referenceBegin = '\x01';
const referenceEnd = '\x02';

/** Seals a block: text of lines, deflated against a dictionary of what every input has, then AES-256-GCM bound to its place. */
export function sealBlock(key: Uint8Array | KeyObject, place: BlockPlace, block: Block): Uint8Array {
  const lines = [`${block.parts.length}`, ...block.parts];
  let seq = place.firstSeq;
  for (const item of block.items) {
    lines.push(
      `${item.seq - seq} ${entryCodes.indexOf(item.entry)} ${item.salt} ${item.call}${item.masked === undefined ? '' : ` ${JSON.stringify(item.masked)}`}`,
      item.text,
    );
    seq = item.seq;
  }
  const text = lines.join('\n');
  const packed = deflateRawSync(written(text), {
    dictionary: blockDictionary(),
    level: 1,
    windowBits: 14,
    memLevel: 7,
    // What it comes to, in one or two pieces: see `written`.
    chunkSize: Math.max(minChunkBytes, text.length >> 3),
  });
  return Buffer.concat([Buffer.from([format]), sealBytes(key, packed, boundTo(place))]);
}

const minChunkBytes = 256;
const maxKeptBytes = 1_048_576;
let kept = Buffer.allocUnsafeSlow(65_536);

/**
 * The text as bytes in a buffer that is used again: until the next full collection Node keeps what a compressor was given and gave, and some
 * kilobytes for each group brought such a collection about each second.
 */
function written(text: string): Uint8Array {
  const most = text.length * 3;
  if (most > maxKeptBytes) return Buffer.from(text);
  if (most > kept.length) kept = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(most)));
  return kept.subarray(0, kept.write(text));
}

/** Opens a block; `undefined` where key or place are not the ones it was sealed with. */
export function openBlock(key: Uint8Array, place: BlockPlace, sealed: Uint8Array): Block | undefined {
  if (sealed[0] !== format) return undefined;
  const packed = openBytes(key, sealed.subarray(1), boundTo(place));
  if (packed === undefined) return undefined;
  const lines = inflateRawSync(packed, { dictionary: blockDictionary(), finishFlush: constants.Z_SYNC_FLUSH }).toString('utf8').split('\n');
  const partCount = Number(lines[0]);
  const items: SealedItem[] = [];
  let seq = place.firstSeq;
  for (let at = 1 + partCount; at + 1 < lines.length; at += 2) {
    const head = lines[at] ?? '';
    const [delta = '', code = '', salt = '', call = ''] = head.split(' ', 4);
    const maskedAt = delta.length + code.length + salt.length + call.length + 4;
    seq += Number(delta);
    items.push({
      seq,
      call,
      salt,
      entry: entryCodes[Number(code)] ?? 'gateway/call',
      masked: head.length > maskedAt ? (JSON.parse(head.slice(maskedAt)) as string[]) : undefined,
      text: lines[at + 1] ?? '',
    });
  }
  return { parts: lines.slice(1, 1 + partCount), items };
}

/**
 * A reference to a part, relative to the one before it in the same input (`last`, at first the block itself): neighbours in a history lie at
 * even distances, and then cost next to nothing.
 */
export function referTo(place: PartPlace, last: number): string {
  return `${referenceBegin}${(last - place.firstSeq).toString(36)}.${place.index.toString(36)}${referenceEnd}`;
}

/** The places that a text refers to, in order. */
export function placesIn(text: string, firstSeq: number): PartPlace[] {
  const places: PartPlace[] = [];
  let last = firstSeq;
  for (let from = text.indexOf(referenceBegin); from >= 0; from = text.indexOf(referenceBegin, from + 1)) {
    const dot = text.indexOf('.', from);
    const end = text.indexOf(referenceEnd, dot);
    last -= parseInt(text.slice(from + 1, dot), 36);
    places.push({ firstSeq: last, index: parseInt(text.slice(dot + 1, end), 36) });
  }
  return places;
}

/** The text with each reference replaced by its part; `undefined` where `partAt` does not have one of them. */
export function withParts(text: string, firstSeq: number, partAt: (place: PartPlace) => string | undefined): string | undefined {
  let whole = '';
  let copied = 0;
  let last = firstSeq;
  for (let from = text.indexOf(referenceBegin); from >= 0; from = text.indexOf(referenceBegin, copied)) {
    const dot = text.indexOf('.', from);
    const end = text.indexOf(referenceEnd, dot);
    last -= parseInt(text.slice(from + 1, dot), 36);
    const part = partAt({ firstSeq: last, index: parseInt(text.slice(dot + 1, end), 36) });
    if (part === undefined) return undefined;
    whole += text.slice(copied, from) + part;
    copied = end + 1;
  }
  return copied === 0 ? text : whole + text.slice(copied);
}

function boundTo({ tenant, log, day, firstSeq, lastSeq }: BlockPlace): string {
  return JSON.stringify(['castellan inputs', format, tenant, log, day, firstSeq, lastSeq]);
}
