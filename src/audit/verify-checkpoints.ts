import type { Db } from '../model/ports.ts';
import { openCheckpoint, parseCheckpoint, type OpenedCheckpoint } from './checkpoint.ts';
import type { NoteVerifier } from './note.ts';
import { hexOf, type TreeHash } from './tree.ts';
import { finding, type Finding } from './verify-finding.ts';

const checksAtOnce = 32;

/** Checkpoints that a log is compared with, and what is wrong with them themselves. */
export class Checkpoints {
  readonly #rootBySize = new Map<number, TreeHash>();
  #problem: Finding | undefined;
  #fitting = 0;
  #lastFitting = 0;

  /** Those that the database has, and `notes` from outside it. */
  static async load(
    db: Db,
    tenant: string,
    log: string,
    notes: readonly string[],
    verifiers: readonly NoteVerifier[],
  ): Promise<Checkpoints> {
    const checkpoints = new Checkpoints();
    const sql = 'SELECT size, root, note FROM audit_checkpoint WHERE tenant = $1 AND log = $2 ORDER BY size';
    const stored = await db.query<{ size: number; root: string; note: string }>(sql, [tenant, log]);
    for (const [at, row] of stored.entries()) {
      checkpoints.add(row.note, verifiers, row);
      // A signature takes some 0.1 ms: the thread may have calls to serve.
      if (at % checksAtOnce === checksAtOnce - 1) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const note of notes) checkpoints.add(note, verifiers);
    return checkpoints;
  }

  /** Adds one; `row` is what the database says of it. */
  add(note: string, verifiers: readonly NoteVerifier[], row?: { readonly size: number; readonly root: string }): void {
    const opened = verifiers.length === 0 ? unsigned(note) : openCheckpoint(note, verifiers);
    if (!opened.ok) {
      const kind = opened.problem.includes('key was replaced') ? 'key_replaced' : 'checkpoint_changed';
      this.#problem ??= finding(row?.size ?? parseCheckpoint(note)?.size ?? 0, kind, `of a checkpoint: ${opened.problem}`);
      return;
    }
    const { size, root } = opened.checkpoint;
    if (row !== undefined && (row.size !== size || row.root !== hexOf(root))) {
      this.#problem ??= finding(row.size, 'checkpoint_changed', 'of a checkpoint: its row does not say what its note says');
      return;
    }
    const other = this.#rootBySize.get(size);
    if (other !== undefined && other !== root)
      this.#problem ??= finding(
        size,
        'forked',
        `two checkpoints of ${size} records, both signed, have different roots: two logs were shown to different people`,
      );
    this.#rootBySize.set(size, root);
  }

  /** Their sizes, ascending. */
  get sizes(): number[] {
    return [...this.#rootBySize.keys()].filter((size) => size > 0).sort((a, b) => a - b);
  }

  /** What is wrong with one of them, whatever the log says. */
  get problem(): Finding | undefined {
    return this.#problem;
  }

  /** How many were compared and fitted. */
  get fitting(): number {
    return this.#fitting;
  }

  /** Compares the log's root at a checkpoint's size. Sizes come in ascending order. */
  compare(size: number, root: TreeHash): Finding | undefined {
    if (this.#rootBySize.get(size) === root) {
      this.#fitting += 1;
      this.#lastFitting = size;
      return undefined;
    }
    const since = this.#lastFitting === 0 ? '' : `, and the one of ${this.#lastFitting} fits`;
    const words = `the first ${size} records are not those that their checkpoint was signed for${since}: one after record ${this.#lastFitting} was rewritten with all hashes, or this is a fork`;
    return finding(this.#lastFitting + 1, 'forked', words);
  }

  /** A checkpoint of more records than the log has. */
  beyond(records: number): Finding | undefined {
    const size = this.sizes.at(-1) ?? 0;
    if (size <= records) return undefined;
    return finding(records + 1, 'tail_cut', `the log ends at record ${records}, but a checkpoint of ${size} was signed: its tail was cut`);
  }
}

function unsigned(note: string): OpenedCheckpoint {
  const checkpoint = parseCheckpoint(note);
  return checkpoint === undefined ? { ok: false, problem: 'it is no checkpoint' } : { ok: true, checkpoint };
}
