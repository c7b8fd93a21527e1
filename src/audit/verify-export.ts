import type { AuditRecord } from '../model/audit-record.ts';
import type { Digest } from '../model/ids.ts';
import { chainHash, genesis } from './chain.ts';
import { openCheckpoint, type Checkpoint } from './checkpoint.ts';
import { readExportLine, type ExportHeader, type ExportLine, type ExportRecord, type InputOpening } from './export-format.ts';
import { checkInput } from './input-commitment.ts';
import type { NoteVerifier } from './note.ts';
import { isConsistent, rootByInclusion } from './tree-proof.ts';
import { hexOf, leafHash, nodeCount, ofHex, TreeEdge, type TreeHash } from './tree.ts';
import { finding, type Finding } from './verify-finding.ts';

export type ExportVerification =
  | {
      readonly ok: true;
      readonly records: number;
      readonly checkpoints: number;
      /** Records after the last checkpoint: nothing signed says that they are all, or as they were. */
      readonly unsigned: number;
      /** Inputs that were opened and are those that their decisions were made on. */
      readonly inputs: number;
      /** Records whose text is not in the export as it was hashed. */
      readonly removed: number;
      readonly headSeq: number;
      readonly root: Digest | undefined;
      /** Whether records were picked: then it is not known that there are no others. */
      readonly selection: boolean;
    }
  | ({ readonly ok: false; readonly line: number } & Finding);

export interface VerifyExportOptions {
  /** Public keys that were noted off the exporting host. At least one. */
  readonly verifiers: readonly NoteVerifier[];
  /** Checkpoints from elsewhere, as signed notes: they too must fit. */
  readonly notes?: readonly string[];
}

/**
 * Verifies an export with public keys alone: computes each hash anew and compares with the signed checkpoints. Finds what
 * {@link verifyAudit} finds, and inputs that are not those that were decided on.
 */
export async function verifyExport(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifyExportOptions,
): Promise<ExportVerification> {
  const reader = new ExportReader(options);
  for await (const text of lines) {
    const found = reader.take(text);
    if (found !== undefined) return { ok: false, line: reader.line, ...found };
  }
  return reader.finish();
}

class ExportReader {
  readonly #options: VerifyExportOptions;
  line = 0;
  #header: ExportHeader | undefined;
  #last = { seq: 0, hash: '' };
  #edge = new TreeEdge();
  #record: (ExportRecord & { readonly parsed: AuditRecord | undefined }) | undefined;
  /** Records picked out of the log, whose proofs wait for their checkpoint. */
  #picked: { readonly seq: number; readonly leaf: TreeHash; readonly proof: readonly TreeHash[] }[] = [];
  /** Where leaves were last seen: the latest ones, and those before them. */
  #leaves = new Map<TreeHash, number>();
  #olderLeaves = new Map<TreeHash, number>();
  readonly #outside = new Map<number, TreeHash>();
  #covered = 0;
  #furthest = 0;
  #ended: number | undefined;
  #counts = { records: 0, checkpoints: 0, inputs: 0, removed: 0 };

  constructor(options: VerifyExportOptions) {
    this.#options = options;
  }

  /** Looks at one line. */
  take(text: string): Finding | undefined {
    this.line += 1;
    const at = this.#last.seq + 1;
    const parsed = readExportLine(text);
    if (parsed === undefined) return finding(at, 'file_damaged', `line ${this.line} is none of an export: it was cut or edited`);
    if (this.#header === undefined && parsed.kind !== 'header')
      return finding(at, 'file_damaged', 'the file does not begin with the header of an export');
    if (this.#ended !== undefined) return finding(at, 'inserted', `line ${this.line} stands after the end of the export`);
    return this.#takeLine(parsed);
  }

  finish(): ExportVerification {
    const found = this.#problemAtEnd();
    if (found !== undefined) return { ok: false, line: this.line, ...found };
    const selection = this.#header?.selection === true;
    return {
      ok: true,
      ...this.#counts,
      unsigned: selection ? 0 : Math.max(0, this.#last.seq - this.#covered),
      headSeq: this.#last.seq,
      root: selection ? undefined : (`sha256:${hexOf(this.#edge.root())}` as Digest),
      selection,
    };
  }

  #takeLine(line: ExportLine): Finding | undefined {
    switch (line.kind) {
      case 'header':
        return this.#takeHeader(line.header);
      case 'record':
        return this.#takeRecord(line);
      case 'opening':
        return this.#takeOpening(line.opening);
      case 'checkpoint':
        return this.#takeCheckpoint(line.note, line.proof.map(ofHex));
      case 'end':
        this.#ended = line.records;
        return undefined;
    }
  }

  #takeHeader(header: ExportHeader): Finding | undefined {
    if (this.#header !== undefined) return finding(this.#last.seq + 1, 'inserted', `line ${this.line} is a second header`);
    this.#header = header;
    const size = header.first - 1;
    if (size === 0 && header.previous !== genesis(header.tenant, header.log).hash)
      return finding(1, 'edited', 'the header does not name the beginning of its tenant and log');
    if (!header.selection && header.nodes.length !== nodeCount(size))
      return finding(header.first, 'edited', 'the header has no tree of the records before the first');
    this.#last = { seq: size, hash: header.previous };
    this.#edge = new TreeEdge(size, header.nodes.map(ofHex));
    for (const note of this.#options.notes ?? []) {
      const opened = this.#open(note, 0);
      if ('kind' in opened) return opened;
      this.#furthest = Math.max(this.#furthest, opened.size);
      this.#outside.set(opened.size, opened.root);
    }
    return undefined;
  }

  #takeRecord(record: ExportRecord): Finding | undefined {
    const { seq, hash, text } = record;
    const wanted = this.#last.seq + 1;
    const isOriginal = text !== undefined && record.leaf === undefined;
    const leaf = isOriginal ? leafHash(text) : ofHex(record.leaf ?? '');
    const parsed = text === undefined ? undefined : parse(text);
    if (text !== undefined && parsed === undefined)
      return finding(seq, 'file_damaged', 'its text is no audit record: the line was cut or edited');
    if (parsed !== undefined && parsed.tenant !== this.#header?.tenant) return finding(seq, 'inserted', 'it belongs to another tenant');
    this.#counts.records += 1;
    if (!isOriginal) this.#counts.removed += 1;
    this.#record = { ...record, parsed };
    if (this.#header?.selection === true) return this.#pick(record, leaf, wanted);
    const problem = this.#orderProblem(seq, wanted, leaf) ?? (isOriginal ? this.#chainProblem(record, text, leaf) : undefined);
    if (problem !== undefined) return problem;
    this.#leaves.set(leaf, seq);
    if (this.#leaves.size >= maxRemembered) [this.#olderLeaves, this.#leaves] = [this.#leaves, new Map<TreeHash, number>()];
    this.#last = { seq, hash };
    this.#edge.append(leaf);
    const root = this.#outside.get(seq);
    return root === undefined || root === this.#edge.root() ? undefined : this.#forked(seq);
  }

  #orderProblem(seq: number, wanted: number, leaf: TreeHash): Finding | undefined {
    if (seq === wanted) return undefined;
    if (seq > wanted)
      return finding(wanted, 'deleted', seq === wanted + 1 ? `record ${wanted} is missing` : `records ${wanted} to ${seq - 1} are missing`);
    if ((this.#leaves.get(leaf) ?? this.#olderLeaves.get(leaf)) === seq)
      return finding(seq, 'duplicated', `record ${seq} stands in line ${this.line} for a second time`);
    return finding(seq, 'reordered', `record ${seq} stands where record ${wanted} belongs: records were moved or inserted`);
  }

  #chainProblem({ seq, hash }: ExportRecord, text: string, leaf: TreeHash): Finding | undefined {
    if (chainHash(this.#last.hash, seq, text) === hash) return undefined;
    const other = this.#leaves.get(leaf) ?? this.#olderLeaves.get(leaf);
    if (other !== undefined) return finding(seq, 'duplicated', `its text is that of record ${other}`);
    return finding(
      seq,
      'edited',
      'its hash does not follow from its text and the record before it: one of them was edited, swapped, inserted or moved, or the hash was',
    );
  }

  #pick({ seq, proof }: ExportRecord, leaf: TreeHash, wanted: number): Finding | undefined {
    if (seq < wanted) return finding(seq, 'reordered', `record ${seq} stands after record ${this.#last.seq}`);
    if (proof === undefined) return finding(seq, 'edited', 'it has no proof that it is in the log');
    this.#picked.push({ seq, leaf, proof: proof.map(ofHex) });
    this.#last = { seq, hash: '' };
    return undefined;
  }

  #takeOpening(opening: InputOpening): Finding | undefined {
    const { seq, json, salt } = opening;
    const record = this.#record;
    if (record?.parsed === undefined || record.seq !== seq || record.leaf !== undefined)
      return finding(seq, 'input_swapped', 'the input of this record does not stand after it');
    if (typeof json !== 'string' || typeof salt !== 'string' || !checkInput(record.parsed, json, salt))
      return finding(seq, 'input_swapped', 'its input is not the one that the decision was made on: it was edited or swapped');
    this.#counts.inputs += 1;
    return undefined;
  }

  #takeCheckpoint(note: string, proof: readonly TreeHash[]): Finding | undefined {
    const { seq } = this.#last;
    const opened = this.#open(note, seq);
    if ('kind' in opened) return opened;
    const { size, root } = opened;
    if (this.#header?.selection === true) {
      const wrong = this.#picked.find((one) => rootByInclusion(one.leaf, one.seq - 1, size, one.proof) !== root);
      this.#picked = [];
      if (wrong !== undefined)
        return finding(wrong.seq, 'edited', 'it is not in the log that the checkpoint was signed for: it was edited, or inserted');
    } else if (size < seq || !isConsistent({ size: seq, root: this.#edge.root() }, { size, root }, proof)) {
      return size > seq && proof.length === 0
        ? finding(seq + 1, 'tail_cut', `a checkpoint of ${size} records was signed, and here are ${seq}: the tail was cut`)
        : this.#forked(size);
    }
    this.#covered = seq;
    this.#counts.checkpoints += 1;
    return undefined;
  }

  #open(note: string, at: number): Checkpoint | Finding {
    const opened = openCheckpoint(note, this.#options.verifiers);
    if (opened.ok) return opened.checkpoint;
    return finding(
      at,
      opened.problem.includes('key was replaced') ? 'key_replaced' : 'checkpoint_changed',
      `of a checkpoint: ${opened.problem}`,
    );
  }

  #forked(size: number): Finding {
    const since = this.#covered === 0 ? '' : `, and the one after record ${this.#covered} fits`;
    const words = `the first ${size} records are not those that their checkpoint was signed for${since}: one after record ${this.#covered} was rewritten with its hashes, or this is a fork`;
    return finding(this.#covered + 1, 'forked', words);
  }

  #problemAtEnd(): Finding | undefined {
    const { seq } = this.#last;
    if (this.#header === undefined) return finding(1, 'file_damaged', 'the file is empty');
    if (this.#furthest > seq && !this.#header.selection)
      return finding(
        seq + 1,
        'tail_cut',
        `the export ends at record ${seq}, but a checkpoint of ${this.#furthest} was signed: its tail was cut`,
      );
    if (this.#ended === undefined)
      return finding(seq + 1, 'tail_cut', 'the export has no last line: it was cut, or its writing was broken off');
    if (this.#ended !== this.#counts.records)
      return finding(seq + 1, 'tail_cut', `the export says that it has ${this.#ended} records, and has ${this.#counts.records}`);
    if (this.#picked.length > 0)
      return finding(this.#picked[0]?.seq ?? 0, 'tail_cut', 'the checkpoint that proves the last records is missing');
    if (this.#counts.checkpoints === 0 && this.#outside.size === 0 && this.#counts.records > 0)
      return finding(seq, 'checkpoint_changed', 'the export has no checkpoint: nothing signed says that its records are genuine');
    return undefined;
  }
}

/** Leaves that are remembered to tell a copy from an edit. */
const maxRemembered = 50_000;

function parse(text: string): AuditRecord | undefined {
  try {
    return JSON.parse(text) as AuditRecord;
  } catch {
    return undefined; // told by the caller as a broken line
  }
}
