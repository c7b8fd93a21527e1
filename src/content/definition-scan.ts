import type { Finding } from '../model/input.ts';
import { isJsonObject, type Json } from '../model/json.ts';
import { toPointer } from '../model/json-pointer.ts';
import { foldLookAlikes } from '../model/look-alike.ts';
import { wordRules } from './definition-rules.ts';
import { hiddenSpans } from './hidden-text.ts';

/** Characters of all strings of one definition that are looked at. */
const maxCharacters = 262_144;
/** Findings with a place of their own; what is found beyond is counted at the root. */
const maxPlaces = 32;
/** Names of members are the server's words too: a place with longer ones is told as the root. */
const maxPointerLength = 256;

// Each is linear: one class, counted.
const control =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f-\u009a\u009c-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200e\u200f\u2028\u2029\u2800\u3164\uffa0\ufff9-\ufffc]/g;
const farAway = /[^\S\n]{80,}(?=\S)|\n{16,}(?=[^\n])/g;
const comment = /<!--/g;

/** What is scanned: the definition of a tool, or a server's instructions, in which word on the use of tools has its place. */
export type ScannedKind = 'definition' | 'instructions';

/**
 * Looks at all that a server says of a tool, or of itself: every string, names of members included, at any depth. One finding for each
 * detector and place, with a count and never the text; a pointer is from the root of `value`.
 */
export function scanDefinition(value: Json, kind: ScannedKind): readonly Finding[] {
  const found = new Map<string, { detector: string; pointer: string; count: number }>();
  let left = maxCharacters;
  const steps: (string | number)[] = [];

  const report = (detector: string, count: number): void => {
    if (count === 0) return;
    const place = found.size < maxPlaces ? toPointer(steps) : '';
    const pointer = place.length <= maxPointerLength ? place : '';
    const known = found.get(`${detector} ${pointer}`);
    if (known === undefined) found.set(`${detector} ${pointer}`, { detector, pointer, count });
    else known.count += count;
  };

  const visit = (item: Json): void => {
    if (left < 0) return;
    if (typeof item === 'string') {
      left -= item.length;
      if (left < 0) report('definition.too_large', 1);
      else lookAt(item, kind, report);
    } else if (Array.isArray(item)) {
      (item as readonly Json[]).forEach((member, index) => {
        steps.push(index);
        visit(member);
        steps.pop();
      });
    } else if (isJsonObject(item)) {
      for (const [key, member] of Object.entries(item)) {
        steps.push(key);
        visit(key);
        if (member !== undefined) visit(member);
        steps.pop();
      }
    }
  };

  visit(value);
  return [...found.values()];
}

function lookAt(text: string, kind: ScannedKind, report: (detector: string, count: number) => void): void {
  for (const { detector } of hiddenSpans(text)) report(detector, 1);
  report('hidden.control', occurrences(text, control));
  report('hidden.far-away', occurrences(text, farAway));
  report('hidden.comment', occurrences(text, comment));
  if (text.length < 6) return;
  const plain = text.normalize('NFKC').toLowerCase().replace(/[’‘]/g, "'").replace(/\s+/g, ' ');
  const isPlainAscii = /^[ -~]*$/.test(plain);
  const folded = isPlainAscii ? plain : foldLookAlikes(plain).replace(/\s+/g, ' ');
  for (const { detector, pattern, only } of wordRules) {
    if (only === 'definitions' && kind === 'instructions') continue;
    const count = occurrences(plain, pattern);
    // What is written with letters that only look like Latin ones counts once it reads the same.
    report(detector, isPlainAscii ? count : Math.max(count, occurrences(folded, pattern)));
  }
}

function occurrences(text: string, pattern: RegExp): number {
  let count = 0;
  for (const _ of text.matchAll(pattern)) count++;
  return count;
}
