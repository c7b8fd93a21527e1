import { remove } from 'confusables';

/** `text` in lower case with each character that looks like a Latin letter or a digit replaced by that; invisible ones and accents go. */
export function foldLookAlikes(text: string): string {
  return remove(text.normalize('NFKC')).toLowerCase();
}

/** One key for all names that a reader or a model could take for each other: look-alike characters, case, `l` and `1`, `-` and `_`. */
export function lookAlikeKey(name: string): string {
  return foldLookAlikes(name).replace(/[il|]/g, '1').replaceAll('o', '0').replace(/[-. ]/g, '_');
}
