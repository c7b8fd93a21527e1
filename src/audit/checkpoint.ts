import { openNote, type NoteSigner, type NoteVerifier } from './note.ts';
import { hashBytes, type TreeHash } from './tree.ts';

/** What a checkpoint says: the tree of the first `size` records of the log `origin` has this root. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: TreeHash;
}

export type OpenedCheckpoint = { readonly ok: true; readonly checkpoint: Checkpoint } | { readonly ok: false; readonly problem: string };

/** A checkpoint as a signed note; its first line is the signer's name. @see https://c2sp.org/tlog-checkpoint */
export function signCheckpoint(signer: NoteSigner, size: number, root: TreeHash): string {
  return signer.sign(`${signer.name}\n${size}\n${Buffer.from(root, 'latin1').toString('base64')}\n`);
}

/** Reads a checkpoint whose signature must be good. Lines after the third are extensions, and signed like the rest. */
export function openCheckpoint(note: string, verifiers: readonly NoteVerifier[]): OpenedCheckpoint {
  const opened = openNote(note, verifiers);
  if (!opened.ok) return opened;
  const checkpoint = parseCheckpoint(opened.text);
  if (checkpoint === undefined) return { ok: false, problem: 'it is signed, but is no checkpoint' };
  if (checkpoint.origin !== opened.by.name) return { ok: false, problem: `it is of another log, \`${checkpoint.origin.slice(0, 200)}\`` };
  return { ok: true, checkpoint };
}

/** Reads what a checkpoint says without believing it; `undefined` where it is none. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin = '', size = '', root = ''] = text.split('\n');
  const bytes = Buffer.from(root, 'base64');
  if (origin === '' || !/^(0|[1-9]\d{0,15})$/.test(size) || bytes.length !== hashBytes || bytes.toString('base64') !== root)
    return undefined;
  return { origin, size: Number(size), root: bytes.toString('latin1') as TreeHash };
}
