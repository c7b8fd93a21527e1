import type { JsonObject } from '../model/json.ts';

/**
 * The export of an audit log: JSON Lines in UTF-8, each line ended by a line feed, in this order:
 *
 *     {"castellan":"audit-export","v":1,"tenant":…,"log":…,"first":…,"previous":…,"nodes":[…],"selection":…,"origin":…}
 *     {"seq":…,"hash":…,"record":…}            a record; its text stands here byte for byte as it was hashed
 *     {"seq":…,"hash":…,"leaf":…,"record":…}   a record as the tree has it, where `record` is not the text that was hashed (tokenised values)
 *     {"seq":…,"hash":…,"leaf":…}              a record whose text retention removed: its leaf hash stands in for it
 *     {"opening":{"seq":…,…}}                  after its record: what opens the commitment to the record's input
 *     {"checkpoint":…,"proof":[…]}             a signed note; `proof` leads from the last record above to it, and is empty where it ends there
 *     {"end":{"records":…}}                    the last line, so that a file cut short shows
 *
 * Where `selection` is true, records were picked: their numbers have gaps, and each carries `"proof":[…]` after `hash`, its inclusion proof
 * in the tree of the checkpoint that follows. Hashes are 64 hex digits.
 */
export interface ExportHeader {
  readonly castellan: 'audit-export';
  readonly v: 1;
  readonly tenant: string;
  readonly log: string;
  /** Number of the first record; 1 for a whole log. */
  readonly first: number;
  /** The chain's hash before the first record: `genesis(tenant, log).hash` for a whole log. */
  readonly previous: string;
  /** The tree over all records before the first: hashes of its complete subtrees, largest first. Empty for a whole log. */
  readonly nodes: readonly string[];
  readonly selection: boolean;
  /** The key name of the checkpoints, as the exporting gateway has it; whoever verifies brings a key of his own. */
  readonly origin: string;
}

export type ExportLine =
  | { readonly kind: 'header'; readonly header: ExportHeader }
  | ({ readonly kind: 'record' } & ExportRecord)
  | { readonly kind: 'opening'; readonly opening: InputOpening }
  | { readonly kind: 'checkpoint'; readonly note: string; readonly proof: readonly string[] }
  | { readonly kind: 'end'; readonly records: number };

export interface ExportRecord {
  readonly seq: number;
  readonly hash: string;
  /** Set where `text` is absent or is not what was hashed. */
  readonly leaf?: string;
  readonly proof?: readonly string[];
  readonly text?: string;
}

/** What opens the commitment of record `seq` to its input; the rest of it is the sealed input's own business. */
export type InputOpening = JsonObject & { readonly seq: number };

const hex = '[0-9a-f]{64}';
// Only this exact spelling is a record: two readers cannot then disagree about where its text begins.
const recordPattern = new RegExp(
  `^\\{"seq":([1-9]\\d{0,15}),"hash":"(${hex})"(?:,"leaf":"(${hex})")?(?:,"proof":\\[((?:"${hex}",?)*)\\])?`,
);
const recordKey = ',"record":';

/** The first line. */
export function headerLine(header: Omit<ExportHeader, 'castellan' | 'v'>): string {
  const { tenant, log, first, previous, nodes, selection, origin } = header;
  return `${JSON.stringify({ castellan: 'audit-export', v: 1, tenant, log, first, previous, nodes, selection, origin })}\n`;
}

/** The line of a record. `text` must be the record's JSON text as the log has it, unless `leaf` is given. */
export function recordLine({ seq, hash, leaf, proof, text }: ExportRecord): string {
  const leafPart = leaf === undefined ? '' : `,"leaf":"${leaf}"`;
  const proofPart = proof === undefined ? '' : `,"proof":${JSON.stringify(proof)}`;
  return `{"seq":${seq},"hash":"${hash}"${leafPart}${proofPart}${text === undefined ? '' : `${recordKey}${text}`}}\n`;
}

/** The line that opens the input of the record before it. */
export function openingLine(opening: InputOpening): string {
  return `${JSON.stringify({ opening })}\n`;
}

/** The line of a checkpoint; `proof` is a consistency proof from the last record's tree to its tree. */
export function checkpointLine(note: string, proof: readonly string[] = []): string {
  return `${JSON.stringify({ checkpoint: note, proof })}\n`;
}

/** The last line. */
export function endLine(records: number): string {
  return `${JSON.stringify({ end: { records } })}\n`;
}

/** Reads one line, without its line feed; `undefined` where it is none of an export's. */
export function readExportLine(line: string): ExportLine | undefined {
  if (line.startsWith('{"seq":')) return readRecord(line);
  try {
    const value = JSON.parse(line) as Record<string, unknown>;
    if (value['castellan'] === 'audit-export' && value['v'] === 1 && isHeader(value)) return { kind: 'header', header: value };
    const { opening, checkpoint, end, proof } = value;
    if (isObject(opening) && Number.isSafeInteger(opening['seq'])) return { kind: 'opening', opening: opening as InputOpening };
    if (typeof checkpoint === 'string' && isHashes(proof)) return { kind: 'checkpoint', note: checkpoint, proof };
    if (isObject(end) && typeof end['records'] === 'number') return { kind: 'end', records: end['records'] };
    return undefined;
  } catch {
    return undefined; // no JSON: told by the caller with the line's number
  }
}

function readRecord(line: string): ExportLine | undefined {
  const match = recordPattern.exec(line);
  if (match === null || !line.endsWith('}')) return undefined;
  const [head, seq = '', hash = '', leaf, proof] = match;
  const hasText = line.startsWith(recordKey, head.length);
  if (!hasText && (leaf === undefined || line.length !== head.length + 1)) return undefined;
  return {
    kind: 'record',
    seq: Number(seq),
    hash,
    ...(leaf === undefined ? {} : { leaf }),
    ...(proof === undefined ? {} : { proof: proof.match(/[0-9a-f]{64}/g) ?? [] }),
    ...(hasText ? { text: line.slice(head.length + recordKey.length, -1) } : {}),
  };
}

function isHeader(value: Record<string, unknown>): value is Record<string, unknown> & ExportHeader {
  const { tenant, log, first, previous, nodes, selection, origin } = value;
  return (
    [tenant, log, origin].every((text) => typeof text === 'string') &&
    Number.isSafeInteger(first) &&
    (first as number) >= 1 &&
    isHashes([previous]) &&
    isHashes(nodes) &&
    typeof selection === 'boolean'
  );
}

function isHashes(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && /^[0-9a-f]{64}$/.test(item));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
