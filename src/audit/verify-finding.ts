/** What was done to a log, as far as can be told from what is left. */
export type TamperKind =
  | 'edited'
  | 'deleted'
  | 'inserted'
  | 'reordered'
  | 'duplicated'
  | 'hash_changed'
  | 'column_changed'
  | 'tail_cut'
  | 'forked'
  | 'input_swapped'
  | 'checkpoint_changed'
  | 'key_replaced'
  | 'tree_changed'
  | 'file_damaged';

/** What a verifier found wrong: the record, what is the matter, and what to do. */
export interface Finding {
  readonly at: number;
  readonly kind: TamperKind;
  readonly problem: string;
  readonly advice: string;
}

const restore = 'keep this database as evidence, restore the record from a backup or an export made before, and verify that one';

/** What to do about each kind. */
const adviceFor: Readonly<Record<TamperKind, string>> = {
  edited: restore,
  deleted: restore,
  inserted: 'keep this database as evidence; records up to the one before it can be trusted, find out who could write to the database',
  reordered: restore,
  duplicated: restore,
  hash_changed: 'the text of the record is as it was written; restore its hash from a backup and find out who could write to the database',
  column_changed: 'the text of the record is as it was written, but searches lie; restore the row from a backup',
  tail_cut: 'look for the missing records in backups, exports and sinks; the checkpoint proves that they were there',
  forked: 'compare with a backup or an export from before: the log that the checkpoint was signed for is the true one',
  input_swapped: 'do not trust this input; the record itself is whole, and its decision was made on another input',
  checkpoint_changed: 'take the checkpoint from where it was pushed to, off this host, and verify with `--checkpoint`',
  key_replaced: 'verify with the public key that was noted when the log began; name keys used earlier with `--key`',
  tree_changed: 'the records are as the chain says; restore the tree from a backup, since proofs cannot be given without it',
  file_damaged: 'export again, or fetch the file again; nothing after this line was looked at',
};

/** A finding with the advice of its kind. */
export function finding(at: number, kind: TamperKind, problem: string): Finding {
  return { at, kind, problem, advice: adviceFor[kind] };
}
